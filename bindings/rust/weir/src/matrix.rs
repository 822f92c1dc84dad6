// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Result};
use crate::{sys, AllocOptions, Block, MatrixHandle, MatrixInfo, MatrixOptions};
use std::os::raw::c_char;
use std::os::unix::io::RawFd;
use std::ptr;

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
        let mut raw = ptr::null_mut();
        // SAFETY: all pointers are valid during the call.
        check(unsafe { sys::weir_matrix_attach_fd(fd, &options.0, &mut raw) })?;
        Ok(Self(MatrixHandle::own(raw)))
    }

    /// Removes a segment's name.
    pub fn unlink(name: &str) -> Result<()> {
        let name = c_string(name)?;
        // SAFETY: a string of C.
        check(unsafe { sys::weir_matrix_unlink(name.as_ptr()) }).map(drop)
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_matrix {
        self.0.raw()
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

    /// Finishes what dead participants left; how many there were.
    pub fn heal(&self) -> Result<usize> {
        // SAFETY: the handle is valid, and no report is asked for.
        check(unsafe { sys::weir_matrix_heal(self.as_raw(), ptr::null_mut()) })
    }

    /// Sizes and counters.
    pub fn stats(&self) -> Result<MatrixInfo> {
        let mut info = MatrixInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_matrix_stats(self.as_raw(), &mut info) })?;
        Ok(info)
    }
}
