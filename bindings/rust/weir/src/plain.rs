// SPDX-License-Identifier: MIT OR Apache-2.0
use std::sync::atomic::*;

/// What may lie in shared memory as it is: other processes have written it, at other addresses.
///
/// # Safety
/// Any bytes are a value of the type, it has no padding, and it holds no pointers or handles. A
/// `#[repr(C)]` struct of such types whose fields leave no gap is one.
///
/// ```
/// #[repr(C)]
/// struct Reading {
///     sensor: u64,
///     value: f64,
/// }
/// // SAFETY: two numbers without a gap.
/// unsafe impl weir::Plain for Reading {}
/// ```
///
/// What is not plain does not get into shared memory:
///
/// ```compile_fail,E0277
/// let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new()).unwrap();
/// matrix.alloc_value(String::from("a pointer"), &weir::AllocOptions::new()).unwrap();
/// ```
///
/// ```compile_fail,E0599
/// let matrix = weir::Matrix::create(None, &weir::MatrixOptions::new()).unwrap();
/// let options = weir::PoolOptions::new();
/// weir::Pool::<&'static str>::create_in(&matrix, "texts", &options).unwrap();
/// ```
///
/// ```compile_fail,E0277
/// fn flag<'m>(message: &'m weir::Message<'_>) -> weir::Result<&'m bool> {
///     message.value() // 2 is no bool
/// }
/// ```
pub unsafe trait Plain: Send + Sync + 'static {}

macro_rules! plain {
    ($($type:ty)*) => { $(
        // SAFETY: a number.
        unsafe impl Plain for $type {}
    )* };
}

plain!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);
plain!(AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64);
plain!(AtomicIsize);

// SAFETY: an array has no gaps.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
