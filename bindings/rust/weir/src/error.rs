// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::{library, sys};
use std::ffi::{CStr, CString};
use std::num::NonZeroI32;
use std::os::raw::{c_char, c_int};
use std::{fmt, io};

/// What a function of the library returned.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(NonZeroI32);

/// The result of whatever can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The library that was loaded does not fit this crate; the text says both releases.
    pub const WRONG_LIBRARY: i32 = i32::MAX;
    /// An argument that the library never saw.
    pub(crate) const INVALID: c_int = 22;

    pub(crate) fn new(code: c_int) -> Self {
        Self(NonZeroI32::new(code.wrapping_abs()).expect("0 is no error"))
    }

    /// The code, positive: an errno, one of `sys::WEIR_E_*`, or `Error::WRONG_LIBRARY`.
    pub fn code(self) -> i32 {
        self.0.get()
    }

    /// Whether it is one of the library's own codes, as in `error.is(sys::WEIR_E_STALE)`.
    pub fn is(self, code: sys::weir_error) -> bool {
        i64::from(self.code()) == i64::from(code)
    }

    /// The code's name, as in `ENOMEM`.
    pub fn name(self) -> &'static str {
        match self.code() {
            Self::WRONG_LIBRARY => "WRONG_LIBRARY",
            // SAFETY: the function takes any number.
            code => text(unsafe { sys::weir_error_name(code) }),
        }
    }

    /// What `std::io` calls it.
    pub fn kind(self) -> io::ErrorKind {
        const WRONG_LIBRARY: u32 = Error::WRONG_LIBRARY as u32;
        match self.code() as u32 {
            sys::WEIR_E_STALE => io::ErrorKind::NotFound,
            sys::WEIR_E_CORRUPT => io::ErrorKind::InvalidData,
            sys::WEIR_E_RETIRED => io::ErrorKind::BrokenPipe,
            sys::WEIR_E_VERSION | WRONG_LIBRARY => io::ErrorKind::Unsupported,
            sys::WEIR_E_TYPE => io::ErrorKind::InvalidInput,
            code if code > sys::WEIR_E_STALE => io::ErrorKind::Other,
            _ => io::Error::from_raw_os_error(self.code()).kind(),
        }
    }
}

/// A static string of the library.
pub(crate) fn text(raw: *const c_char) -> &'static str {
    // SAFETY: static strings, never NULL, in ASCII.
    unsafe { CStr::from_ptr(raw) }.to_str().unwrap_or("?")
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Self::WRONG_LIBRARY => out.write_str(&library::misfit()),
            // SAFETY: the function takes any number.
            code => out.write_str(text(unsafe { sys::weir_strerror(code) })),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Error({}: {})", self.name(), self)
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        // above all errnos are the library's own codes
        if error.code() < sys::WEIR_E_STALE as i32 {
            return io::Error::from_raw_os_error(error.code());
        }
        io::Error::new(error.kind(), error)
    }
}

/// What was to be given away and was not, and why. As an error it is that error.
pub struct Rejected<T> {
    /// Why.
    pub error: Error,
    /// It is still the caller's.
    pub value: T,
}

impl<T> fmt::Display for Rejected<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(out)
    }
}

impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Rejected").field(&self.error).finish()
    }
}

impl<T> std::error::Error for Rejected<T> {}

impl<T> From<Rejected<T>> for Error {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error
    }
}

impl<T> From<Rejected<T>> for io::Error {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error.into()
    }
}

/// 0 or more, or the error.
pub(crate) fn check(code: c_int) -> Result<usize> {
    usize::try_from(code).map_err(|_| Error::new(code))
}

/// A string for C; a NUL inside is an invalid argument.
pub(crate) fn c_string(text: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(Error::INVALID))
}
