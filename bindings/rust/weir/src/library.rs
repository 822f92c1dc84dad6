// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{text, Error, Result};
use crate::{fork, sys, Feature};

/// The release of the library that was loaded, as in `0.1.0`.
pub fn library_version() -> &'static str {
    // SAFETY: has no preconditions.
    text(unsafe { sys::weir_version_string() })
}

/// Whether this build on this machine has a feature.
pub fn feature_supported(feature: Feature) -> bool {
    // SAFETY: takes any number; who does not know it has not got it.
    unsafe { sys::weir_feature_supported(feature.0) > 0 }
}

/// Refuses a library that these declarations do not fit, before anything of it is used.
pub(crate) fn fits() -> Result<()> {
    fork::watch();
    // SAFETY: has no preconditions. A library knows all releases up to its own.
    if unsafe { sys::weir_abi_hash(sys::VERSION_NUMBER) } == sys::ABI_HASH {
        return Ok(());
    }
    Err(Error::new(Error::WRONG_LIBRARY))
}

/// What `Error::WRONG_LIBRARY` says.
pub(crate) fn misfit() -> String {
    let [_, major, minor, patch] = sys::VERSION_NUMBER.to_be_bytes();
    // SAFETY: has no preconditions.
    let (hash, newest) =
        unsafe { (sys::weir_abi_hash(sys::VERSION_NUMBER), sys::weir_version_number()) };
    let why = match hash {
        0 if newest >= sys::VERSION_NUMBER => "which has left it behind",
        0 => "which is older",
        _ => "of another build",
    };
    let found = library_version();
    format!("weir {major}.{minor}.{patch} is needed, and the library is weir {found}, {why}")
}
