// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Result};
use crate::{library, sys, AllocOptions, Block, MatrixHandle, MatrixOptions, Plain, MOST_AT_ONCE};
use std::ffi::CStr;
use std::os::raw::c_char;
use std::os::unix::io::{AsRawFd, RawFd};
use std::{iter, mem, ptr};

/// A segment of shared memory with an allocator. A clone is another handle of the same participant.
#[derive(Clone, Debug)]
pub struct Matrix(pub(crate) MatrixHandle);

type Maker = unsafe extern "C" fn(
    *const c_char,
    *const sys::weir_matrix_options,
    *mut *mut sys::weir_matrix,
) -> i32;

impl Matrix {
    fn make(call: Maker, name: Option<&str>, options: &MatrixOptions) -> Result<Self> {
        library::fits()?;
        let name = name.map(c_string).transpose()?;
        let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let mut raw = ptr::null_mut();
        // SAFETY: all pointers are valid during the call.
        check(unsafe { call(name, &options.0, &mut raw) })?;
        Ok(Self(MatrixHandle::own(raw)))
    }

    /// Makes a segment; without a name it is passed on by its descriptor.
    pub fn create(name: Option<&str>, options: &MatrixOptions) -> Result<Self> {
        Self::make(sys::weir_matrix_create, name, options)
    }

    /// Attaches to a segment that exists.
    pub fn attach(name: &str, options: &MatrixOptions) -> Result<Self> {
        Self::make(sys::weir_matrix_attach, Some(name), options)
    }

    /// Attaches, or makes it if there is none.
    pub fn open(name: &str, options: &MatrixOptions) -> Result<Self> {
        Self::make(sys::weir_matrix_open, Some(name), options)
    }

    /// Attaches to the segment of a descriptor, which stays the caller's.
    pub fn attach_fd(fd: RawFd, options: &MatrixOptions) -> Result<Self> {
        library::fits()?;
        let mut raw = ptr::null_mut();
        // SAFETY: all pointers are valid during the call.
        check(unsafe { sys::weir_matrix_attach_fd(fd, &options.0, &mut raw) })?;
        Ok(Self(MatrixHandle::own(raw)))
    }

    /// Removes a segment's name.
    pub fn unlink(name: &str) -> Result<()> {
        library::fits()?;
        let name = c_string(name)?;
        // SAFETY: a string of C.
        check(unsafe { sys::weir_matrix_unlink(name.as_ptr()) }).map(drop)
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_matrix {
        self.0.raw()
    }

    /// Ends the segment for all: its name goes, and calls fail with `WEIR_E_RETIRED`.
    pub fn retire(&self) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_matrix_retire(self.as_raw()) }).map(drop)
    }

    /// The name it was opened with; empty if it has none.
    pub fn name(&self) -> &str {
        // SAFETY: the name lives as long as the handle, and came from a `&str`.
        unsafe { CStr::from_ptr(sys::weir_matrix_name(self.as_raw())) }.to_str().unwrap_or("")
    }

    /// What tells this segment from all others.
    pub fn uuid(&self) -> Result<[u8; 16]> {
        let mut uuid = sys::weir_uuid::default();
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_matrix_uuid(self.as_raw(), &mut uuid) })?;
        Ok(uuid.value)
    }

    /// Who this handle is in the segment.
    pub fn participant(&self) -> Result<u64> {
        let mut id = 0;
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_matrix_participant_id(self.as_raw(), &mut id) })?;
        Ok(id)
    }

    /// A new block of `size` bytes, which are what they are unless `AllocFlags::ZERO` is set.
    pub fn alloc(&self, size: usize, options: &AllocOptions) -> Result<Block<'_>> {
        let (mut block, mut data) = (0, ptr::null_mut());
        // SAFETY: handle and pointers are valid.
        check(unsafe {
            sys::weir_matrix_alloc(self.as_raw(), size, &options.0, &mut block, &mut data)
        })?;
        // SAFETY: the block is ours and has `size` bytes at `data`.
        Ok(unsafe { Block::own(self, block, data.cast(), size) })
    }

    /// A block that holds `value`.
    pub fn alloc_value<T: Plain>(&self, value: T, options: &AllocOptions) -> Result<Block<'_, T>> {
        let mut block = self.alloc(mem::size_of::<T>(), &aligned::<T>(options))?.cast::<T>()?;
        *block = value; // what was there is plain, and needs no end
        Ok(block)
    }

    /// A block for `count` values, which are what they are unless `AllocFlags::ZERO` is set.
    pub fn alloc_slice<T: Plain>(
        &self,
        count: usize,
        options: &AllocOptions,
    ) -> Result<Block<'_, [T]>> {
        let size = mem::size_of::<T>().saturating_mul(count);
        let mut block = self.alloc(size, &aligned::<T>(options))?;
        let data = ptr::slice_from_raw_parts_mut(block.as_mut_ptr().cast::<T>(), count);
        // SAFETY: large enough, aligned, and any bytes are values.
        Ok(unsafe { block.shown_as(data) })
    }

    /// Up to `count` blocks at once, and up to 65,536. Only the first is waited for.
    pub fn alloc_many(
        &self,
        size: usize,
        count: usize,
        options: &AllocOptions,
    ) -> Result<Vec<Block<'_>>> {
        let count = count.min(MOST_AT_ONCE);
        let (mut blocks, mut data) = (vec![0; count], vec![ptr::null_mut(); count]);
        // SAFETY: the handle is valid, and both arrays have `count` places.
        let found = check(unsafe {
            sys::weir_matrix_alloc_many(
                self.as_raw(),
                size,
                count,
                &options.0,
                blocks.as_mut_ptr(),
                data.as_mut_ptr(),
            )
        })?;
        let both = iter::zip(blocks, data).take(found);
        // SAFETY: each block is ours and has `size` bytes at `data`.
        Ok(both
            .map(|(block, data)| unsafe { Block::own(self, block, data.cast(), size) })
            .collect())
    }

    /// Who has a block; `sys::WEIR_OWNER_NONE` is nobody.
    pub fn owner(&self, block: sys::weir_ref) -> Result<u64> {
        let mut owner = 0;
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_block_owner(self.as_raw(), block, &mut owner) })?;
        Ok(owner)
    }

    /// The user's state of a block.
    pub fn block_state(&self, block: sys::weir_ref) -> Result<u32> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_block_state(self.as_raw(), block) }).map(|state| state as u32)
    }

    /// Sets the user's state of a block: 0, or 49 to 255.
    pub fn set_block_state(&self, block: sys::weir_ref, state: u32) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_block_set_state(self.as_raw(), block, state) }).map(drop)
    }

    /// Moves a block from one state to another; of all who try the same at once, one succeeds.
    pub fn transition(&self, block: sys::weir_ref, expected: u32, new_state: u32) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_block_transition(self.as_raw(), block, expected, new_state) })
            .map(drop)
    }

    /// Address and size of a block that somebody has.
    pub fn data(&self, block: sys::weir_ref) -> Result<(*mut u8, usize)> {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: handle and pointers are valid.
        check(unsafe { sys::weir_matrix_data(self.as_raw(), block, &mut data, &mut size) })?;
        Ok((data.cast(), size))
    }

    /// Makes a block of nobody ours.
    pub fn take(&self, block: sys::weir_ref) -> Result<Block<'_>> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_block_take(self.as_raw(), block) })?;
        self.adopt(block)
    }

    /// A guard of a block that is ours already.
    pub(crate) fn adopt(&self, block: sys::weir_ref) -> Result<Block<'_>> {
        let (data, size) = self.data(block)?;
        // SAFETY: what takes a block makes it this participant's alone.
        Ok(unsafe { Block::own(self, block, data, size) })
    }

    /// The ref that a name stands for.
    pub fn lookup(&self, name: &str) -> Result<sys::weir_ref> {
        let (name, mut block) = (c_string(name)?, 0);
        // SAFETY: handle, string and pointer are valid.
        check(unsafe { sys::weir_matrix_lookup(self.as_raw(), name.as_ptr(), &mut block) })?;
        Ok(block)
    }

    /// Removes a name; its block is ours, if it is not free.
    pub fn unbind(&self, name: &str) -> Result<Option<Block<'_>>> {
        let (name, mut block) = (c_string(name)?, 0);
        // SAFETY: handle, string and pointer are valid.
        check(unsafe { sys::weir_matrix_unbind(self.as_raw(), name.as_ptr(), &mut block) })?;
        if block == sys::WEIR_REF_NONE {
            return Ok(None);
        }
        self.adopt(block).map(Some)
    }
}

impl AsRawFd for Matrix {
    /// The segment's descriptor, to be passed on; it stays the handle's.
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_matrix_fd(self.as_raw()) }
    }
}

/// With the alignment that a `T` needs, or more.
fn aligned<T>(options: &AllocOptions) -> AllocOptions {
    const USUAL: usize = 64;
    let wished = if options.0.alignment == 0 { USUAL } else { options.0.alignment };
    options.alignment(wished.max(mem::align_of::<T>()))
}
