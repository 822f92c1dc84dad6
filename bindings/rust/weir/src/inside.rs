// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is inside a matrix: counters, walks, checks, memory.
use crate::error::{check, Result};
use crate::{sys, walk, BlockInfo, CheckFlags, CheckReport, HealReport, Matrix, MatrixInfo};
use crate::{MemoryInfo, ParticipantInfo, RootInfo};
use std::ops::ControlFlow;

impl Matrix {
    /// Sizes and counters.
    pub fn stats(&self) -> Result<MatrixInfo> {
        let mut info = MatrixInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_matrix_stats(self.as_raw(), &mut info) })?;
        Ok(info)
    }

    /// What kind of memory this handle got, and how much of it is there.
    pub fn memory(&self) -> Result<MemoryInfo> {
        let mut info = MemoryInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_matrix_memory(self.as_raw(), &mut info) })?;
        Ok(info)
    }

    /// Shows each block, free ones too. A panic of `visit` goes on behind the call.
    ///
    /// ```
    /// # fn main() -> weir::Result<()> {
    /// use std::ops::ControlFlow::Continue;
    /// let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new())?;
    /// let _block = matrix.alloc(100, &weir::AllocOptions::new())?;
    /// let mut used = 0;
    /// matrix.walk(|block| {
    ///     used += u32::from(block.kind == weir::BlockKind::ALLOCATED.0);
    ///     Continue(())
    /// })?;
    /// assert_eq!(used, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn walk(&self, visit: impl FnMut(&BlockInfo) -> ControlFlow<()>) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_matrix_walk(self.as_raw(), Some(call), userdata)
        })
    }

    /// Shows each participant, also dead ones that wait to be healed.
    pub fn participants(
        &self,
        visit: impl FnMut(&ParticipantInfo) -> ControlFlow<()>,
    ) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_matrix_participants(self.as_raw(), Some(call), userdata)
        })
    }

    /// Shows each name.
    pub fn roots(&self, visit: impl FnMut(&RootInfo) -> ControlFlow<()>) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_matrix_roots(self.as_raw(), Some(call), userdata)
        })
    }

    /// Checks every invariant; how many errors there are, and what was seen.
    pub fn check(&self, flags: CheckFlags) -> Result<(usize, CheckReport)> {
        let mut report = CheckReport::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        let errors = check(unsafe { sys::weir_matrix_check(self.as_raw(), flags.0, &mut report) })?;
        Ok((errors, report))
    }

    /// Finishes what dead participants left; how many there were.
    pub fn heal(&self) -> Result<usize> {
        self.heal_report().map(|(dead, _)| dead)
    }

    /// The same, and what was done.
    pub fn heal_report(&self) -> Result<(usize, HealReport)> {
        let mut report = HealReport::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        let dead = check(unsafe { sys::weir_matrix_heal(self.as_raw(), &mut report) })?;
        Ok((dead, report))
    }

    /// Gives memory of free blocks back to the system, but so many bytes; how many it were.
    pub fn trim(&self, keep_bytes: u64) -> Result<u64> {
        let mut bytes = 0;
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_matrix_trim(self.as_raw(), keep_bytes, &mut bytes) })?;
        Ok(bytes)
    }

    /// Commits so many bytes, and puts all that is committed into this process's page tables.
    /// `visit` is told how many bytes of how many are done, and may end it.
    pub fn prefault(
        &self,
        bytes: u64,
        visit: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::progress(visit, |call, userdata| unsafe {
            sys::weir_matrix_prefault(self.as_raw(), bytes, Some(call), userdata)
        })
    }
}
