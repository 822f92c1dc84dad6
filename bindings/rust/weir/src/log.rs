// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Error, Result};
use crate::{
    library, nanoseconds, sys, CursorFlags, LogHandle, LogInfo, LogOptions, LogReaderHandle,
};
use crate::{LogReport, ReaderFlags};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, RawFd};
use std::path::Path;
use std::time::Duration;
use std::{iter, ptr, slice};

fn c_path(path: &Path) -> Result<CString> {
    c_string(path.as_os_str().as_bytes())
}

/// A log that this process writes.
#[derive(Debug)]
pub struct Log(LogHandle);

type Appender =
    unsafe extern "C" fn(*mut sys::weir_log, *const sys::weir_log_part, usize, *mut u64) -> i32;

impl Log {
    /// Opens a log, recovers what a crash left, or makes it.
    pub fn open(folder: impl AsRef<Path>, options: &LogOptions) -> Result<Self> {
        library::fits()?;
        let (folder, mut raw) = (c_path(folder.as_ref())?, ptr::null_mut());
        // SAFETY: string and pointers are valid.
        check(unsafe { sys::weir_log_open(folder.as_ptr(), &options.0, &mut raw) })?;
        Ok(Self(LogHandle::own(raw)))
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_log {
        self.0.raw()
    }

    /// Appends a record; its position.
    pub fn append(&self, record: &[u8]) -> Result<u64> {
        let mut lsn = 0;
        // SAFETY: handle and pointers are valid.
        check(unsafe {
            sys::weir_log_append(self.as_raw(), record.as_ptr().cast(), record.len(), &mut lsn)
        })?;
        Ok(lsn)
    }

    /// Appends a record if there is room at once; `EAGAIN` if there is not.
    pub fn try_append(&self, record: &[u8]) -> Result<u64> {
        let mut lsn = 0;
        // SAFETY: handle and pointers are valid.
        check(unsafe {
            sys::weir_log_try_append(self.as_raw(), record.as_ptr().cast(), record.len(), &mut lsn)
        })?;
        Ok(lsn)
    }

    /// Appends one record that is put together from pieces, with a tag from 0 to 65535.
    pub fn append_parts(&self, tag: u32, pieces: &[&[u8]]) -> Result<u64> {
        self.append_all(sys::weir_log_appendv, tag, pieces)
    }

    /// Appends all records or none; the position of the last one.
    pub fn append_batch(&self, records: &[&[u8]]) -> Result<u64> {
        self.append_all(sys::weir_log_append_batch, 0, records)
    }

    fn append_all(&self, call: Appender, tag: u32, pieces: &[&[u8]]) -> Result<u64> {
        let part = |piece: &&[u8]| sys::weir_log_part {
            data: piece.as_ptr().cast(),
            len: piece.len(),
            tag,
            ..Default::default()
        };
        let (parts, mut lsn): (Vec<_>, _) = (pieces.iter().map(part).collect(), 0);
        // SAFETY: handle and pointers are valid, and so is what the parts point to.
        check(unsafe { call(self.as_raw(), parts.as_ptr(), parts.len(), &mut lsn) })?;
        Ok(lsn)
    }

    /// Waits until a record survives a power cut. A timeout of `None` is for ever.
    pub fn wait(&self, lsn: u64, timeout: Option<Duration>) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_log_wait(self.as_raw(), lsn, nanoseconds(timeout)) }).map(drop)
    }

    /// Waits until all that was appended survives a power cut.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_log_sync(self.as_raw()) }).map(drop)
    }

    /// Every record below it survives a power cut.
    pub fn durable(&self) -> u64 {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_log_durable(self.as_raw()) }
    }

    /// Where the next record begins.
    pub fn tail(&self) -> u64 {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_log_tail(self.as_raw()) }
    }

    /// Gives the space of records below a position back.
    pub fn truncate_before(&self, lsn: u64) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_log_truncate_before(self.as_raw(), lsn) }).map(drop)
    }

    /// What ended the log, if something did.
    pub fn error(&self) -> Option<Error> {
        // SAFETY: the handle is valid.
        match unsafe { sys::weir_log_error(self.as_raw()) } {
            0 => None,
            code => Some(Error::new(code as i32)),
        }
    }

    /// Counters, the backend, and what recovery found.
    pub fn stats(&self) -> Result<LogInfo> {
        let mut info = LogInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_log_stats(self.as_raw(), &mut info) })?;
        Ok(info)
    }
}

impl AsRawFd for Log {
    /// An eventfd that is readable when `durable` grew or `error` says something; negative if there
    /// can be none. From the first call on all that is appended is flushed at once.
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_log_fd(self.as_raw()) }
    }
}

/// A record that is still in the reader's memory, until the reader goes on:
///
/// ```compile_fail,E0499
/// use weir::*;
/// fn both(reader: &mut LogReader) -> Result<bool> {
///     let one = reader.next_record()?;
///     let two = reader.next_record()?;
///     Ok(one == two)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'r> {
    /// Its position.
    pub lsn: u64,
    /// Its tag.
    pub tag: u32,
    /// What was appended.
    pub data: &'r [u8],
    /// Something before it is missing (`ReaderFlags::SALVAGE`).
    pub after_gap: bool,
}

/// A record of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its position.
    pub lsn: u64,
    /// Its tag.
    pub tag: u32,
    /// What was appended.
    pub data: Vec<u8>,
    /// Something before it is missing (`ReaderFlags::SALVAGE`).
    pub after_gap: bool,
}

/// Reads a log in any process. As an iterator it ends where nothing more is durable.
#[derive(Debug)]
pub struct LogReader(LogReaderHandle);

impl LogReader {
    /// Begins with the first record at or after a position; 0 is the oldest one.
    pub fn open(folder: impl AsRef<Path>, from_lsn: u64, flags: ReaderFlags) -> Result<Self> {
        library::fits()?;
        let (folder, mut raw) = (c_path(folder.as_ref())?, ptr::null_mut());
        // SAFETY: string and pointer are valid.
        check(unsafe { sys::weir_log_reader_open(folder.as_ptr(), from_lsn, flags.0, &mut raw) })?;
        Ok(Self(LogReaderHandle::own(raw)))
    }

    /// The next record, if there is one now. Nothing is copied.
    pub fn next_record(&mut self) -> Result<Option<RecordRef<'_>>> {
        let (mut data, mut len, mut lsn, mut tag) = (ptr::null(), 0, 0, 0);
        // SAFETY: handle and pointers are valid.
        let found = check(unsafe {
            sys::weir_log_reader_next(self.0.raw(), &mut data, &mut len, &mut lsn, &mut tag)
        })?;
        if found == 0 {
            return Ok(None);
        }
        let data = match len {
            0 => &[],
            // SAFETY: valid until the next call, which needs `self` alone.
            _ => unsafe { slice::from_raw_parts(data.cast(), len) },
        };
        Ok(Some(RecordRef { lsn, tag, data, after_gap: found == 2 }))
    }

    /// Waits until there is something to say, be it an error. `None` is for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_log_reader_wait(self.0.raw(), nanoseconds(timeout)) }).map(drop)
    }

    /// Record after record, waiting for those that are still to come.
    pub fn follow(&mut self) -> impl Iterator<Item = Result<Record>> + '_ {
        iter::from_fn(move || loop {
            match self.next() {
                None => match self.wait(None) {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                },
                found => return found,
            }
        })
    }

    /// Goes to the first record at or after a position.
    pub fn seek(&mut self, lsn: u64) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_log_reader_seek(self.0.raw(), lsn) }).map(drop)
    }
}

impl Iterator for LogReader {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        let own = |record: RecordRef<'_>| Record {
            lsn: record.lsn,
            tag: record.tag,
            data: record.data.to_vec(),
            after_gap: record.after_gap,
        };
        self.next_record().map(|found| found.map(own)).transpose()
    }
}

/// Stores a named position of a log durably.
pub fn store_cursor(
    folder: impl AsRef<Path>,
    name: &str,
    lsn: u64,
    flags: CursorFlags,
) -> Result<()> {
    library::fits()?;
    let (folder, name) = (c_path(folder.as_ref())?, c_string(name)?);
    // SAFETY: strings of C.
    check(unsafe { sys::weir_log_cursor_store(folder.as_ptr(), name.as_ptr(), lsn, flags.0) })
        .map(drop)
}

/// Reads a named position of a log.
pub fn load_cursor(folder: impl AsRef<Path>, name: &str) -> Result<u64> {
    library::fits()?;
    let (folder, name, mut lsn) = (c_path(folder.as_ref())?, c_string(name)?, 0);
    // SAFETY: strings of C, and a valid pointer.
    check(unsafe { sys::weir_log_cursor_load(folder.as_ptr(), name.as_ptr(), &mut lsn) })?;
    Ok(lsn)
}

/// Reads all of a log; `verdict` of the report says how it is.
pub fn verify(folder: impl AsRef<Path>) -> Result<LogReport> {
    library::fits()?;
    let (folder, mut report) = (c_path(folder.as_ref())?, LogReport::default());
    // SAFETY: a string of C, and a pointer to a struct whose `size` is set.
    check(unsafe { sys::weir_log_verify(folder.as_ptr(), &mut report) })?;
    Ok(report)
}

/// Makes a log that cannot be opened one that can; whether there was something to do. With `target`
/// what is whole is copied to a new log there.
pub fn repair(
    folder: impl AsRef<Path>,
    target: Option<&Path>,
    options: &LogOptions,
) -> Result<(bool, LogReport)> {
    library::fits()?;
    let (folder, target) = (c_path(folder.as_ref())?, target.map(c_path).transpose()?);
    let mut report = LogReport::default();
    let target = target.as_ref().map_or(ptr::null(), |target| target.as_ptr());
    // SAFETY: strings of C, and pointers to structs whose `size` is set.
    let done =
        check(unsafe { sys::weir_log_repair(folder.as_ptr(), target, &options.0, &mut report) })?;
    Ok((done == 1, report))
}
