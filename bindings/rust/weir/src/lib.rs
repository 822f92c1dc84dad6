// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shared memory, channels and durable logs for the processes of one machine.
//!
//! ```
//! # fn main() -> weir::Result<()> {
//! let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new())?;
//! let mut block = matrix.alloc(5, &weir::AllocOptions::new())?;
//! block.copy_from_slice(b"hello");
//! assert_eq!(&*block, b"hello"); // freed when `block` is dropped
//! # Ok(())
//! # }
//! ```
//! # Memory that others have, too
//!
//! A guard (`Block`, `PoolBox`, `Message`) is the only one in all processes that keep to the rules of
//! the library: who hands a block over has no reference left, and refs and slots that were given up
//! are recognised. A process that writes where it has no guard, by `sys`, by a pointer of
//! [`Matrix::data`] or in another language, changes what a `&[u8]` here shows, which the language
//! holds for impossible; so attach to segments of processes that you trust as you trust your own
//! threads. Sizes, refs and offsets are checked whoever wrote them. What several processes change at
//! the same time belongs into atomics, which are [`Plain`].
//!
//! # Forks
//!
//! A fork child may go on with every handle but a [`Log`] and a [`Subscription`] of a broadcast
//! channel, and with a pool of its own process, of which it has a copy. Its parent's blocks, slots
//! and messages stay its parent's: dropping their guards does nothing there, and what would free,
//! post or answer one is an error (`WEIR_E_FORKED`, or `WEIR_E_STALE` for a message). To write
//! through them is to write into the parent's memory.
#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

mod block;
mod channel;
mod error;
mod fork;
mod gen;
mod ids;
mod inside;
mod library;
mod log;
mod matrix;
mod message;
mod plain;
mod pool;
mod router;
mod walk;

pub use block::Block;
pub use channel::Channel;
pub use error::{Error, Rejected, Result};
pub use gen::*;
pub use ids::Ids;
pub use library::{feature_supported, library_version};
pub use log::{load_cursor, repair, store_cursor, verify, Log, LogReader, Record, RecordRef};
pub use matrix::Matrix;
pub use message::{Message, Messages, Subscription};
pub use plain::Plain;
pub use pool::{Pool, PoolBox};
pub use router::Router;
pub use weir_sys as sys;

use std::time::Duration;

/// The most elements of one batch call: places are made for all, whatever somebody asks for.
pub(crate) const MOST_AT_ONCE: usize = 1 << 16;

/// As the library counts: `None` is for ever.
pub(crate) fn nanoseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(-1, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
