// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{check, Error, Result};
use crate::{library, sys, IdsHandle, IdsOptions, PoolFlags};
use std::ptr;

/// Numbers that are taken and given back, for those who keep their own storage.
///
/// ```
/// # fn main() -> weir::Result<()> {
/// let ids = weir::Ids::create(&weir::IdsOptions::new().capacity(8))?;
/// let id = ids.acquire()?;
/// assert!(!ids.is_free(id)?);
/// ids.release(id)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Ids(IdsHandle);

impl Ids {
    /// All from 0 to `capacity` - 1. `PoolFlags::SINGLE_THREAD` is refused, as any thread may use it.
    pub fn create(options: &IdsOptions) -> Result<Self> {
        library::fits()?;
        if options.0.flags & PoolFlags::SINGLE_THREAD.0 != 0 {
            return Err(Error::new(Error::INVALID)); // an `Ids` is `Sync`
        }
        let mut raw = ptr::null_mut();
        // SAFETY: both pointers are valid.
        check(unsafe { sys::weir_ids_create(&options.0, &mut raw) })?;
        Ok(Self(IdsHandle::own(raw)))
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_ids {
        self.0.raw()
    }

    /// A number that nobody has; `EAGAIN` if there is none.
    pub fn acquire(&self) -> Result<u32> {
        let mut id = 0;
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_ids_acquire(self.as_raw(), &mut id) })?;
        Ok(id)
    }

    /// Gives a number back.
    pub fn release(&self, id: u32) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_ids_release(self.as_raw(), id) }).map(drop)
    }

    /// Whether nobody has a number.
    pub fn is_free(&self, id: u32) -> Result<bool> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_ids_is_free(self.as_raw(), id) }).map(|found| found == 1)
    }

    /// Adds at least so many numbers.
    pub fn grow(&self, numbers: u64) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_ids_grow(self.as_raw(), numbers) }).map(drop)
    }

    /// How many there are, taken or not.
    pub fn capacity(&self) -> u64 {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_ids_capacity(self.as_raw()) }
    }
}
