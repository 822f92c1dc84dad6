// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks pkg-config where the library is. `WEIR_STATIC` links the static one.
use std::process::{exit, Command};

fn fail(message: &str) -> ! {
    eprintln!("weir-sys: {message}");
    eprintln!(
        "weir-sys: install weir 0.1 or newer, or set PKG_CONFIG_PATH to the folder of weir.pc"
    );
    exit(1)
}

fn main() {
    for name in [
        "PKG_CONFIG",
        "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR",
        "PKG_CONFIG_SYSROOT_DIR",
        "WEIR_STATIC",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let fixed = std::env::var_os("WEIR_STATIC").is_some();
    let program = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let mut command = Command::new(&program);
    command.arg("--libs");
    if fixed {
        command.arg("--static");
    }
    let output = match command.arg("weir >= 0.1").output() {
        Ok(output) => output,
        Err(error) => fail(&format!("cannot run {program}: {error}")),
    };
    if !output.status.success() {
        fail(String::from_utf8_lossy(&output.stderr).trim());
    }
    for word in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if word == "-lweir" && fixed {
            println!("cargo:rustc-link-lib=static=weir");
        } else if let Some(name) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={name}");
        } else if let Some((folder, file)) = word.rsplit_once('/') {
            // a file of its own, as Meson writes for what was not installed
            let name = file.trim_start_matches("lib").split('.').next().unwrap_or(file);
            println!("cargo:rustc-link-search=native={folder}");
            println!("cargo:rustc-link-lib={name}");
        }
    }
}
