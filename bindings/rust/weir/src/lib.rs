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
#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

mod block;
mod channel;
mod error;
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

/// As the library counts: `None` is for ever.
pub(crate) fn nanoseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(-1, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
