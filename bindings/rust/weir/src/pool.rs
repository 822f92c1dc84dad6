// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Error, Rejected, Result};
use crate::fork::Born;
use crate::{library, nanoseconds, sys, walk, Matrix, Plain, PoolFlags, PoolHandle, PoolInfo};
use crate::{PoolOptions, SlotInfo, MOST_AT_ONCE};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::{ControlFlow, Deref, DerefMut};
use std::os::raw::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;
use std::{fmt, iter};

/// Slots for values of one type. A clone is another user of the same pool.
///
/// ```
/// # fn main() -> weir::Result<()> {
/// let pool = weir::Pool::create(&weir::PoolOptions::new().capacity(100))?;
/// let mut name = pool.acquire(String::from("anchor"), None)?;
/// name.push('s');
/// assert_eq!(name.into_inner(), "anchors"); // the slot is free again
/// # Ok(())
/// # }
/// ```
pub struct Pool<T> {
    handle: PoolHandle,
    shared: bool, // with other processes: in a matrix
    values: PhantomData<fn() -> T>,
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), shared: self.shared, values: PhantomData }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pool").field(&self.handle).finish()
    }
}

impl<T> Pool<T> {
    fn make(
        shared: bool,
        options: &PoolOptions,
        call: impl FnOnce(*const sys::weir_pool_options, *mut *mut sys::weir_pool) -> c_int,
    ) -> Result<Self> {
        library::fits()?;
        let (mut options, mut raw) = (options.0, ptr::null_mut());
        if options.flags & PoolFlags::SINGLE_THREAD.0 != 0 {
            return Err(Error::new(Error::INVALID)); // a `Pool` is `Sync`
        }
        let alignment = u32::try_from(mem::align_of::<T>()).unwrap_or(u32::MAX);
        if options.alignment != 0 || alignment > 16 {
            options.alignment = options.alignment.max(alignment);
        }
        options.slot_size = mem::size_of::<T>() as u64;
        check(call(&options, &mut raw))?;
        Ok(Self { handle: PoolHandle::own(raw), shared, values: PhantomData })
    }

    /// Makes a pool in the memory of this process. The size of a slot is that of a `T`;
    /// `PoolFlags::SINGLE_THREAD` is refused, as any thread may use it.
    pub fn create(options: &PoolOptions) -> Result<Self> {
        // SAFETY: both pointers are valid.
        Self::make(false, options, |options, raw| unsafe { sys::weir_pool_create(options, raw) })
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_pool {
        self.handle.raw()
    }

    /// Puts a value into a slot; if there is none in time, it comes back. `None` is for ever.
    pub fn acquire(
        &self,
        value: T,
        timeout: Option<Duration>,
    ) -> std::result::Result<PoolBox<'_, T>, Rejected<T>> {
        let (mut slot, mut data) = (0, ptr::null_mut());
        // SAFETY: handle and pointers are valid.
        let got = check(unsafe {
            sys::weir_pool_acquire(self.as_raw(), nanoseconds(timeout), &mut slot, &mut data)
        });
        match got.and_then(|_| self.guard(slot, data)) {
            Ok(guard) => {
                // SAFETY: the slot is ours, large enough and aligned; what it held is nobody's.
                unsafe { guard.data.as_ptr().write(value) };
                Ok(guard)
            }
            Err(error) => Err(Rejected { error, value }),
        }
    }

    /// A pool that another program made may have less alignment than `T` needs.
    fn place(data: *mut c_void) -> Result<NonNull<T>> {
        let place = NonNull::new(data.cast::<T>());
        place
            .filter(|place| place.as_ptr().align_offset(mem::align_of::<T>()) == 0)
            .ok_or_else(|| Error::new(sys::WEIR_E_TYPE as c_int))
    }

    /// Of a slot that was just acquired, and is given back if no `T` may lie there.
    fn guard(&self, slot: sys::weir_slot, data: *mut c_void) -> Result<PoolBox<'_, T>> {
        let place = Self::place(data);
        if place.is_err() {
            // SAFETY: the slot is ours.
            unsafe { sys::weir_pool_release(self.as_raw(), slot) };
        }
        Ok(PoolBox { pool: self, slot, data: place?, born: Born::now() })
    }

    /// The guard of a slot that `PoolBox::into_raw` gave away, perhaps in another process.
    ///
    /// # Safety
    /// The slot holds a `T`, and nobody else uses or releases it.
    pub unsafe fn adopt(&self, slot: sys::weir_slot) -> Result<PoolBox<'_, T>> {
        let mut data = ptr::null_mut();
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_pool_data(self.as_raw(), slot, &mut data) })?;
        Ok(PoolBox { pool: self, slot, data: Self::place(data)?, born: Born::now() })
    }

    /// Whether somebody has this slot, or it was released since.
    pub fn is_live(&self, slot: sys::weir_slot) -> Result<bool> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_pool_is_live(self.as_raw(), slot) }).map(|found| found == 1)
    }

    /// Adds at least so many slots.
    pub fn grow(&self, slots: u64) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_pool_grow(self.as_raw(), slots) }).map(drop)
    }

    /// Shows each slot that somebody has.
    pub fn walk(&self, visit: impl FnMut(&SlotInfo) -> ControlFlow<()>) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_pool_walk(self.as_raw(), Some(call), userdata)
        })
    }

    /// What it is, and how many slots are taken.
    pub fn stats(&self) -> Result<PoolInfo> {
        let mut info = PoolInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_pool_stats(self.as_raw(), &mut info) })?;
        Ok(info)
    }

    /// Ends it for all. Values that are in slots stay until their guards are dropped.
    pub fn destroy(&self) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_pool_destroy(self.as_raw()) }).map(drop)
    }
}

impl<T: Plain> Pool<T> {
    /// Makes a pool in a matrix, for all processes. The size of a slot is that of a `T`.
    pub fn create_in(matrix: &Matrix, name: &str, options: &PoolOptions) -> Result<Self> {
        let name = c_string(name)?;
        // SAFETY: handle, string and pointers are valid.
        Self::make(true, options, |options, raw| unsafe {
            sys::weir_pool_create_in(matrix.as_raw(), name.as_ptr(), options, raw)
        })
    }

    /// Attaches to one that exists; `WEIR_E_TYPE` if its slots have another size than a `T`.
    pub fn attach(matrix: &Matrix, name: &str, options: &PoolOptions) -> Result<Self> {
        let name = c_string(name)?;
        // SAFETY: handle, string and pointers are valid.
        Self::make(true, options, |options, raw| unsafe {
            sys::weir_pool_attach(matrix.as_raw(), name.as_ptr(), options, raw)
        })
    }

    /// Up to `count` slots at once, and up to 65,536, with whatever bytes they have. Only the first is waited for.
    pub fn acquire_many(
        &self,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<PoolBox<'_, T>>> {
        let count = count.min(MOST_AT_ONCE);
        let (mut slots, mut data) = (vec![0; count], vec![ptr::null_mut(); count]);
        // SAFETY: the handle is valid, and both arrays have `count` places.
        let found = check(unsafe {
            sys::weir_pool_acquire_many(
                self.as_raw(),
                count,
                nanoseconds(timeout),
                slots.as_mut_ptr(),
                data.as_mut_ptr(),
            )
        })?;
        let both = iter::zip(slots, data).take(found);
        let guards: Vec<_> = both.map(|(slot, data)| self.guard(slot, data)).collect();
        guards.into_iter().collect() // after all have a guard, as one that fails ends it
    }
}

/// A value in a slot of a pool. Dropping it drops the value and gives the slot back. In a fork child
/// a slot in a matrix stays its parent's, and dropping does nothing.
///
/// It cannot outlive the pool:
///
/// ```compile_fail,E0505
/// let pool = weir::Pool::create(&weir::PoolOptions::new()).unwrap();
/// let one = pool.acquire(1, None).unwrap();
/// drop(pool);
/// println!("{}", *one);
/// ```
pub struct PoolBox<'p, T> {
    pool: &'p Pool<T>,
    slot: sys::weir_slot,
    data: NonNull<T>,
    born: Born,
}

// SAFETY: a slot belongs to its user, not to a thread; the value follows the borrow of the guard.
unsafe impl<T: Send> Send for PoolBox<'_, T> {}
// SAFETY: shared, it gives out shared references alone.
unsafe impl<T: Sync> Sync for PoolBox<'_, T> {}

impl<T> PoolBox<'_, T> {
    /// What names it for all users of the pool.
    pub fn slot(&self) -> sys::weir_slot {
        self.slot
    }

    /// The slot, with the value in it, which is the caller's to adopt.
    pub fn into_raw(self) -> sys::weir_slot {
        ManuallyDrop::new(self).slot
    }

    /// The value; the slot is given back.
    pub fn into_inner(self) -> T {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the value is ours, and the guard's `drop` does not run.
        let value = unsafe { guard.data.as_ptr().read() };
        if guard.is_ours() {
            let _ = guard.release();
        }
        value
    }

    /// Whether value and slot are this process's: of a pool of its own a fork child has a copy.
    fn is_ours(&self) -> bool {
        !self.pool.shared || self.born.is_here()
    }

    fn release(&self) -> Result<()> {
        // SAFETY: the slot is ours. A refusal means that the pool was ended.
        check(unsafe { sys::weir_pool_release(self.pool.as_raw(), self.slot) }).map(drop)
    }
}

impl<T> Deref for PoolBox<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the slot is ours as long as the guard is, and holds a `T`.
        unsafe { self.data.as_ref() }
    }
}

impl<T> DerefMut for PoolBox<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed alone.
        unsafe { self.data.as_mut() }
    }
}

impl<T> Drop for PoolBox<'_, T> {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the value is ours, and nobody uses it any more.
            unsafe { ptr::drop_in_place(self.data.as_ptr()) };
            let _ = self.release();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolBox<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("PoolBox").field(&**self).finish()
    }
}
