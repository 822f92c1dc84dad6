// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Error, Result};
use crate::{sys, Matrix};
use std::ops::{Deref, DerefMut};
use std::{fmt, mem, slice};

/// Memory of a matrix that this process owns. Dropping frees it.
pub struct Block<'m> {
    matrix: &'m Matrix,
    block: sys::weir_ref,
    data: *mut u8,
    size: usize,
}

// SAFETY: a block belongs to the process, not to a thread; its bytes follow the borrow of the guard.
unsafe impl Send for Block<'_> {}
// SAFETY: shared, it gives out shared slices alone.
unsafe impl Sync for Block<'_> {}

/// What was to be given away and was not, and why.
#[derive(Debug)]
pub struct Rejected<T> {
    /// Why.
    pub error: Error,
    /// It is still the caller's.
    pub value: T,
}

impl<T> From<Rejected<T>> for Error {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error
    }
}

impl<'m> Block<'m> {
    /// # Safety
    /// The block is this participant's, nobody else has a guard of it, and it has `size` bytes.
    pub(crate) unsafe fn own(
        matrix: &'m Matrix,
        block: sys::weir_ref,
        data: *mut u8,
        size: usize,
    ) -> Self {
        Self { matrix, block, data, size }
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

    /// Gives it back, and says what `drop` cannot.
    pub fn free(self) -> Result<()> {
        let matrix = self.matrix;
        // SAFETY: it is ours until the call.
        check(unsafe { sys::weir_matrix_free(matrix.as_raw(), self.into_raw()) }).map(drop)
    }

    /// Passes the ownership on; a failure leaves it here.
    pub(crate) fn hand_over(
        self,
        call: impl FnOnce(sys::weir_ref) -> Result<usize>,
    ) -> std::result::Result<sys::weir_ref, Rejected<Self>> {
        match call(self.block) {
            Ok(_) => Ok(self.into_raw()),
            Err(error) => Err(Rejected { error, value: self }),
        }
    }

    /// Makes it another participant's, or `sys::WEIR_OWNER_NONE`'s.
    pub fn give(self, participant: u64) -> std::result::Result<sys::weir_ref, Rejected<Self>> {
        let raw = self.matrix.as_raw();
        // SAFETY: the handle is valid.
        self.hand_over(|block| check(unsafe { sys::weir_block_give(raw, block, participant) }))
    }

    /// Gives it a name in the matrix, and to nobody.
    pub fn bind(self, name: &str) -> std::result::Result<sys::weir_ref, Rejected<Self>> {
        let raw = self.matrix.as_raw();
        self.hand_over(|block| {
            let name = c_string(name)?;
            // SAFETY: handle and string are valid.
            check(unsafe { sys::weir_matrix_bind(raw, name.as_ptr(), block) })
        })
    }
}

impl Deref for Block<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the block is ours as long as the guard is, and has `size` bytes.
        unsafe { slice::from_raw_parts(self.data, self.size) }
    }
}

impl DerefMut for Block<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the guard is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.data, self.size) }
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        // SAFETY: it is ours. A refusal means that somebody freed it by its ref.
        unsafe { sys::weir_matrix_free(self.matrix.as_raw(), self.block) };
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Block({:#x}, {} bytes)", self.block, self.size)
    }
}
