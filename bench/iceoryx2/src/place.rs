// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the programs let iceoryx2 keep its files, and its version.

use iceoryx2::prelude::*;
use std::error::Error;
use std::path::PathBuf;

/// The one that Cargo.toml pins.
pub fn version() -> &'static str {
    let pinned = include_str!("../Cargo.toml").split("iceoryx2 = \"=").nth(1);
    pinned
        .and_then(|text| text.split('"').next())
        .unwrap_or("unknown")
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// What iceoryx2 makes is called by the place's name.
pub fn config(name: &str) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::default();
    let folder = folder(name);
    let path = folder.to_str().ok_or("a path that is not UTF-8")?;
    config.global.set_root_path(&path.try_into()?);
    config.global.prefix = name.try_into()?;
    Ok(config)
}

/// Files of our own, so that they can be removed: iceoryx2 leaves some of its own behind.
pub struct Place(String);

impl Place {
    pub fn new() -> Self {
        Self(format!("weir_bench_{}_", std::process::id()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(folder(&self.0));
        for entry in std::fs::read_dir("/dev/shm")
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with(&self.0) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
