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
mod log;
mod matrix;

pub use block::{Block, Rejected};
pub use channel::{Channel, Message, Subscription};
pub use error::{Error, Result};
pub use gen::*;
pub use log::{load_cursor, store_cursor, verify, Log, LogReader, Record, RecordRef};
pub use matrix::Matrix;
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
