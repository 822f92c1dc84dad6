// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::sys;
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
    /// An argument that the library never saw.
    pub(crate) const INVALID: c_int = -22;

    pub(crate) fn new(code: c_int) -> Self {
        Self(NonZeroI32::new(code.wrapping_abs()).expect("0 is no error"))
    }

    /// The code, positive: an errno or one of `sys::WEIR_E_*`.
    pub fn code(self) -> i32 {
        self.0.get()
    }

    /// The code's name, as in `ENOMEM`.
    pub fn name(self) -> &'static str {
        // SAFETY: the function takes any number.
        text(unsafe { sys::weir_error_name(self.code()) })
    }

    /// What `std::io` calls it.
    pub fn kind(self) -> io::ErrorKind {
        io::Error::from(self).kind()
    }
}

/// A static string of the library.
fn text(raw: *const c_char) -> &'static str {
    // SAFETY: static strings, never NULL, in ASCII.
    unsafe { CStr::from_ptr(raw) }.to_str().unwrap_or("?")
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the function takes any number.
        out.write_str(text(unsafe { sys::weir_strerror(self.code()) }))
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
        io::Error::new(io::ErrorKind::Other, error)
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
