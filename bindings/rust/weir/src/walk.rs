// SPDX-License-Identifier: MIT OR Apache-2.0
//! Closures as callbacks. A panic never unwinds through C: it goes on behind the call.
use crate::error::{check, Result};
use std::any::Any;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

type Panic = Box<dyn Any + Send>;

struct Visitor<V> {
    visit: V,
    panic: Option<Panic>,
}

impl<V> Visitor<V> {
    fn new(visit: V) -> Self {
        Self { visit, panic: None }
    }

    /// 0 to go on.
    fn guard(&mut self, call: impl FnOnce(&mut V) -> ControlFlow<()>) -> c_int {
        let visit = &mut self.visit;
        match catch_unwind(AssertUnwindSafe(|| call(visit))) {
            Ok(ControlFlow::Continue(())) => 0,
            Ok(ControlFlow::Break(())) => 1,
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }

    fn finish(self, code: c_int) -> Result<usize> {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
        check(code)
    }
}

unsafe extern "C" fn visit_record<T, V: FnMut(&T) -> ControlFlow<()>>(
    info: *const T,
    userdata: *mut c_void,
) -> c_int {
    // SAFETY: `records` passes its own visitor, and the library a record that is valid now.
    let (visitor, info) = unsafe { (&mut *userdata.cast::<Visitor<V>>(), &*info) };
    visitor.guard(|visit| visit(info))
}

unsafe extern "C" fn visit_progress<V: FnMut(u64, u64) -> ControlFlow<()>>(
    done: u64,
    total: u64,
    userdata: *mut c_void,
) -> c_int {
    // SAFETY: `progress` passes its own visitor.
    let visitor = unsafe { &mut *userdata.cast::<Visitor<V>>() };
    visitor.guard(|visit| visit(done, total))
}

pub(crate) type RecordFn<T> = unsafe extern "C" fn(*const T, *mut c_void) -> c_int;
pub(crate) type ProgressFn = unsafe extern "C" fn(u64, u64, *mut c_void) -> c_int;

/// Runs a walk of the library that shows records.
pub(crate) fn records<T, V: FnMut(&T) -> ControlFlow<()>>(
    visit: V,
    walk: impl FnOnce(RecordFn<T>, *mut c_void) -> c_int,
) -> Result<()> {
    let mut visitor = Visitor::new(visit);
    let code = walk(visit_record::<T, V>, (&mut visitor as *mut Visitor<V>).cast());
    visitor.finish(code).map(drop)
}

/// Runs a call of the library that tells how far it is.
pub(crate) fn progress<V: FnMut(u64, u64) -> ControlFlow<()>>(
    visit: V,
    run: impl FnOnce(ProgressFn, *mut c_void) -> c_int,
) -> Result<()> {
    let mut visitor = Visitor::new(visit);
    let code = run(visit_progress::<V>, (&mut visitor as *mut Visitor<V>).cast());
    visitor.finish(code).map(drop)
}
