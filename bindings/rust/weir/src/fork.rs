// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which process this is: a fork child has copies of guards whose memory stays its parent's.
use crate::error::{Error, Result};
use crate::sys;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

type Handler = Option<unsafe extern "C" fn()>;

extern "C" {
    fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> c_int;
}

static FORKS: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed); // no order: a child begins with one thread
}

/// Has forks counted from now on: before the first guard is made.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    // SAFETY: the handler only counts, and is never unloaded before this crate.
    ONCE.call_once(|| unsafe {
        pthread_atfork(None, None, Some(in_child));
    });
}

/// The process that a guard was made in.
#[derive(Clone, Copy)]
pub(crate) struct Born(u32);

impl Born {
    pub(crate) fn now() -> Self {
        Self(FORKS.load(Ordering::Relaxed))
    }

    pub(crate) fn is_here(self) -> bool {
        self.0 == FORKS.load(Ordering::Relaxed)
    }

    /// `WEIR_E_FORKED` in a fork child of that process.
    pub(crate) fn check(self) -> Result<()> {
        if self.is_here() {
            return Ok(());
        }
        Err(Error::new(sys::WEIR_E_FORKED as c_int))
    }
}
