// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Error, Rejected, Result};
use crate::fork::Born;
use crate::{sys, AllocOptions, Matrix, Plain};
use std::ops::{Deref, DerefMut};
use std::ptr::{slice_from_raw_parts_mut, NonNull};
use std::{fmt, mem, ptr};

/// Memory of a matrix that this process owns: bytes, or values that are `Plain`. Dropping frees it.
///
/// In a fork child it stays its parent's: dropping it there does nothing, and what would free it or
/// pass it on fails with `WEIR_E_FORKED`.
///
/// It cannot outlive its matrix:
///
/// ```compile_fail,E0505
/// let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new()).unwrap();
/// let block = matrix.alloc(5, &weir::AllocOptions::new()).unwrap();
/// drop(matrix);
/// println!("{}", block.len());
/// ```
///
/// and what was passed on is out of reach:
///
/// ```compile_fail,E0382
/// let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new()).unwrap();
/// let mut block = matrix.alloc(5, &weir::AllocOptions::new()).unwrap();
/// block.bind("name").unwrap();
/// block[0] = 1;
/// ```
pub struct Block<'m, T: ?Sized = [u8]> {
    matrix: &'m Matrix,
    block: sys::weir_ref,
    data: NonNull<T>,
    born: Born,
}

// SAFETY: a block belongs to the process, not to a thread; its bytes follow the borrow of the guard.
unsafe impl<T: ?Sized + Send> Send for Block<'_, T> {}
// SAFETY: shared, it gives out shared references alone.
unsafe impl<T: ?Sized + Sync> Sync for Block<'_, T> {}

impl<'m> Block<'m> {
    /// # Safety
    /// The block is this participant's, nobody else has a guard of it, and it has `size` bytes at
    /// `data`, which is not NULL.
    pub(crate) unsafe fn own(
        matrix: &'m Matrix,
        block: sys::weir_ref,
        data: *mut u8,
        size: usize,
    ) -> Self {
        // SAFETY: see above.
        let data = unsafe { NonNull::new_unchecked(slice_from_raw_parts_mut(data, size)) };
        Self { matrix, block, data, born: Born::now() }
    }

    /// The same memory as a value; `EINVAL` if it is too small, or not where such a value may lie.
    pub fn cast<T: Plain>(self) -> std::result::Result<Block<'m, T>, Rejected<Self>> {
        let data = self.data.cast::<T>();
        if self.len() < mem::size_of::<T>() || data.as_ptr().align_offset(mem::align_of::<T>()) != 0
        {
            return Err(Rejected { error: Error::new(Error::INVALID), value: self });
        }
        // SAFETY: large enough, aligned, and any bytes are a `T`.
        Ok(unsafe { self.shown_as(data.as_ptr()) })
    }

    /// Larger or smaller where it is; new bytes are what they are.
    pub fn resize(&mut self, size: usize) -> Result<()> {
        self.born.check()?;
        // SAFETY: the handle is valid, the block ours.
        check(unsafe { sys::weir_matrix_resize(self.matrix.as_raw(), self.block, size) })?;
        let data = self.data.cast::<u8>().as_ptr();
        // SAFETY: it was not NULL before.
        self.data = unsafe { NonNull::new_unchecked(slice_from_raw_parts_mut(data, size)) };
        Ok(())
    }

    /// Larger or smaller, elsewhere if it must; then it has another ref.
    pub fn realloc(
        self,
        size: usize,
        options: &AllocOptions,
    ) -> std::result::Result<Self, Rejected<Self>> {
        let (matrix, mut block, mut data) = (self.matrix, 0, ptr::null_mut());
        let raw = matrix.as_raw();
        self.hand_over(|old| {
            // SAFETY: handle and pointers are valid, the block ours.
            check(unsafe {
                sys::weir_matrix_realloc(raw, old, size, &options.0, &mut block, &mut data)
            })
        })?;
        // SAFETY: the block is ours and has `size` bytes at `data`.
        Ok(unsafe { Self::own(matrix, block, data.cast(), size) })
    }
}

impl<'m, T: ?Sized> Block<'m, T> {
    /// # Safety
    /// `data` is in the block, and points to a valid `U`.
    pub(crate) unsafe fn shown_as<U: ?Sized>(self, data: *mut U) -> Block<'m, U> {
        let (matrix, born) = (self.matrix, self.born);
        // SAFETY: see above.
        let data = unsafe { NonNull::new_unchecked(data) };
        Block { matrix, block: self.into_raw(), data, born }
    }

    /// Whether something of `to` may have it: it must be of that very handle, as elsewhere its ref
    /// may be that of another block; and this process's.
    pub(crate) fn may_go(&self, to: &Matrix) -> Result<()> {
        if to.as_raw() != self.matrix.as_raw() {
            return Err(Error::new(Error::INVALID));
        }
        self.born.check()
    }

    /// What names it in every process.
    pub fn block(&self) -> sys::weir_ref {
        self.block
    }

    /// Its ref, which is the caller's to free.
    pub fn into_raw(self) -> sys::weir_ref {
        let block = self.block;
        mem::forget(self);
        block
    }

    /// The same memory as bytes.
    pub fn into_bytes(self) -> Block<'m>
    where
        T: Plain + Sized,
    {
        let data = slice_from_raw_parts_mut(self.data.cast::<u8>().as_ptr(), mem::size_of::<T>());
        // SAFETY: a `T` has no padding, so each byte of it is there.
        unsafe { self.shown_as(data) }
    }

    /// Gives it back, and says what `drop` cannot.
    pub fn free(self) -> Result<()> {
        self.born.check()?;
        let matrix = self.matrix;
        // SAFETY: it is ours until the call.
        check(unsafe { sys::weir_matrix_free(matrix.as_raw(), self.into_raw()) }).map(drop)
    }

    /// Passes the ownership to something of `to`; a failure leaves it here.
    pub(crate) fn hand_over_in(
        self,
        to: &Matrix,
        call: impl FnOnce(sys::weir_ref) -> Result<usize>,
    ) -> std::result::Result<usize, Rejected<Self>> {
        match self.may_go(to) {
            Ok(()) => self.hand_over(call),
            Err(error) => Err(Rejected { error, value: self }),
        }
    }

    /// Passes the ownership on; a failure leaves it here.
    fn hand_over(
        self,
        call: impl FnOnce(sys::weir_ref) -> Result<usize>,
    ) -> std::result::Result<usize, Rejected<Self>> {
        match self.born.check().and_then(|()| call(self.block)) {
            Ok(number) => {
                mem::forget(self);
                Ok(number)
            }
            Err(error) => Err(Rejected { error, value: self }),
        }
    }

    /// Makes it another participant's, or `sys::WEIR_OWNER_NONE`'s.
    pub fn give(self, participant: u64) -> std::result::Result<sys::weir_ref, Rejected<Self>> {
        let (raw, block) = (self.matrix.as_raw(), self.block);
        // SAFETY: the handle is valid.
        self.hand_over(|block| check(unsafe { sys::weir_block_give(raw, block, participant) }))
            .map(|_| block)
    }

    /// Gives it a name in the matrix, and to nobody.
    pub fn bind(self, name: &str) -> std::result::Result<sys::weir_ref, Rejected<Self>> {
        let (raw, block) = (self.matrix.as_raw(), self.block);
        self.hand_over(|block| {
            let name = c_string(name)?;
            // SAFETY: handle and string are valid.
            check(unsafe { sys::weir_matrix_bind(raw, name.as_ptr(), block) })
        })
        .map(|_| block)
    }
}

impl<T: ?Sized> Deref for Block<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the block is ours as long as the guard is, and holds a `T`.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for Block<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed alone.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for Block<'_, T> {
    fn drop(&mut self) {
        if self.born.is_here() {
            // SAFETY: it is ours. A refusal means that somebody freed it by its ref.
            unsafe { sys::weir_matrix_free(self.matrix.as_raw(), self.block) };
        }
    }
}

impl<T: ?Sized> fmt::Debug for Block<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Block({:#x}, {} bytes)", self.block, mem::size_of_val(&**self))
    }
}
