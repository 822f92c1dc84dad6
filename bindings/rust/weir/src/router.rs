// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Rejected, Result};
use crate::RuleInfo;
use crate::{nanoseconds, sys, walk, Block, Matrix, RouteOptions, RouterHandle, RouterRule};
use std::ops::ControlFlow;
use std::os::raw::c_char;
use std::ptr;
use std::time::Duration;

/// Rules in a matrix that say to which channels a message goes. A clone is another user of it.
///
/// ```
/// use weir::*;
/// # fn main() -> Result<()> {
/// let matrix = Matrix::create(None, &MatrixOptions::new())?;
/// let jobs = Channel::create(&matrix, "jobs", &ChannelOptions::new())?;
/// let router = Router::create(&matrix, "all")?;
/// let rule = RouterRule::new().condition(RouterCondition::TOPIC).topic("job.*").channels("jobs");
/// router.add_rule(&rule)?;
/// let block = matrix.alloc(1, &AllocOptions::new())?;
/// router.post(block, 1, &RouteOptions::new().topic("job.new"), None)?;
/// assert_eq!(jobs.inquire()?.waiting, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Router {
    handle: RouterHandle,
    matrix: Matrix,
}

type Maker =
    unsafe extern "C" fn(*mut sys::weir_matrix, *const c_char, *mut *mut sys::weir_router) -> i32;

impl Router {
    fn make(call: Maker, matrix: &Matrix, name: &str) -> Result<Self> {
        let (name, mut raw) = (c_string(name)?, ptr::null_mut());
        // SAFETY: handle, string and pointer are valid.
        check(unsafe { call(matrix.as_raw(), name.as_ptr(), &mut raw) })?;
        Ok(Self { handle: RouterHandle::own(raw), matrix: matrix.clone() })
    }

    /// Makes a router without rules.
    pub fn create(matrix: &Matrix, name: &str) -> Result<Self> {
        Self::make(sys::weir_router_create, matrix, name)
    }

    /// Attaches to one that exists.
    pub fn attach(matrix: &Matrix, name: &str) -> Result<Self> {
        Self::make(sys::weir_router_attach, matrix, name)
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_router {
        self.handle.raw()
    }

    /// Adds a rule; its number. Nobody who posts meanwhile sees half of it.
    pub fn add_rule(&self, rule: &RouterRule) -> Result<u64> {
        let mut id = 0;
        // SAFETY: handle and pointers are valid.
        rule.with(|rule| {
            check(unsafe { sys::weir_router_add_rule(self.as_raw(), rule, &mut id) })
        })?;
        Ok(id)
    }

    /// Removes a rule.
    pub fn remove_rule(&self, rule: u64) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_router_remove_rule(self.as_raw(), rule) }).map(drop)
    }

    /// Shows each rule, in order.
    pub fn rules(&self, visit: impl FnMut(&RuleInfo) -> ControlFlow<()>) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_router_rules(self.as_raw(), Some(call), userdata)
        })
    }

    /// Posts a block of its matrix by the first rule that is for it; how many channels have it. If that fails,
    /// it comes back. A timeout of `None` is for ever.
    pub fn post<'b, T: ?Sized>(
        &self,
        block: Block<'b, T>,
        length: usize,
        options: &RouteOptions,
        timeout: Option<Duration>,
    ) -> std::result::Result<usize, Rejected<Block<'b, T>>> {
        let (raw, wait) = (self.as_raw(), nanoseconds(timeout));
        block.hand_over_in(&self.matrix, |block| {
            // SAFETY: handle and options are valid.
            options.with(|options| {
                check(unsafe { sys::weir_router_post(raw, block, length, options, wait) })
            })
        })
    }

    /// Ends it for all; its channels stay.
    pub fn retire(&self) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_router_retire(self.as_raw()) }).map(drop)
    }
}
