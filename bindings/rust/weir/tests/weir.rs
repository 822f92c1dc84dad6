// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a user of the crate relies on.
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use weir::*;

const SOON: Option<Duration> = Some(Duration::from_secs(20));

fn matrix() -> Matrix {
    Matrix::create(None, &MatrixOptions::new()).unwrap()
}

fn used(matrix: &Matrix) -> u64 {
    matrix.stats().unwrap().used_blocks
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-rust-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn threads_may_share_what_the_model_says() {
    fn both<T: Send + Sync>() {}
    fn send<T: Send>() {}
    both::<Matrix>();
    both::<Channel<'_>>();
    both::<Subscription<'_>>();
    both::<Log>();
    both::<Block<'_>>();
    both::<Block<'_, [f64]>>();
    both::<Pool<String>>();
    both::<Pool<std::cell::Cell<u8>>>(); // it gives out owners alone
    both::<PoolBox<'_, String>>();
    both::<Ids>();
    both::<Router>();
    both::<RouterRule>();
    send::<LogReader>();
}

#[test]
fn blocks_are_freed_when_dropped() {
    let matrix = matrix();
    let zeroed = AllocOptions::new().flags(AllocFlags::ZERO);
    let mut block = matrix.alloc(100, &zeroed).unwrap();
    assert!(block.iter().all(|byte| *byte == 0));
    block[99] = 7;
    assert_eq!((block.len(), block[99], used(&matrix)), (100, 7, 1));
    drop(block);
    assert_eq!(used(&matrix), 0);
    matrix.alloc(1, &AllocOptions::new()).unwrap().free().unwrap();
    let raw = matrix.alloc(1, &AllocOptions::new()).unwrap().into_raw();
    assert_eq!(used(&matrix), 1);
    let error = matrix.take(raw).unwrap_err();
    assert_eq!(error.name(), "EPERM");
}

#[test]
fn roots_and_owners() {
    let matrix = matrix();
    let mut block = matrix.alloc(4, &AllocOptions::new()).unwrap();
    block.copy_from_slice(b"root");
    let rejected = block.bind("a\0b").unwrap_err();
    assert_eq!(rejected.error.kind(), ErrorKind::InvalidInput);
    let name = rejected.value.bind("one").unwrap();
    assert_eq!(matrix.lookup("one").unwrap(), name);
    let again = matrix.unbind("one").unwrap().unwrap();
    assert_eq!(&again[..4], b"root");
    let free = again.give(sys::WEIR_OWNER_NONE).unwrap();
    drop(matrix.take(free).unwrap());
    assert_eq!(matrix.take(free).unwrap_err().code(), sys::WEIR_E_STALE as i32);
}

#[test]
fn errors_are_io_errors() {
    let error = Matrix::attach("there-is-none-of-this-name", &MatrixOptions::new()).unwrap_err();
    assert_eq!((error.name(), error.kind()), ("ENOENT", ErrorKind::NotFound));
    assert_eq!(std::io::Error::from(error).raw_os_error(), Some(error.code()));
    let matrix = matrix();
    let channel = Channel::create(&matrix, "jobs", &ChannelOptions::new()).unwrap();
    channel.retire().unwrap();
    let block = matrix.alloc(1, &AllocOptions::new()).unwrap();
    let rejected = channel.post(block, 1, &PostOptions::new(), SOON).unwrap_err();
    let error = std::io::Error::from(rejected.error);
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(error.to_string().contains("retired"), "{error}");
    assert_eq!(rejected.value.len(), 1);
}

#[test]
fn codes_of_the_library_have_kinds() {
    let matrix = matrix();
    let raw = matrix.alloc(1, &AllocOptions::new()).unwrap().give(sys::WEIR_OWNER_NONE).unwrap();
    matrix.take(raw).unwrap().free().unwrap();
    let stale = matrix.take(raw).unwrap_err();
    assert!(stale.is(sys::WEIR_E_STALE) && !stale.is(sys::WEIR_E_TYPE));
    assert_eq!((stale.name(), stale.kind()), ("WEIR_E_STALE", ErrorKind::NotFound));
    let _channel = Channel::create(&matrix, "jobs", &ChannelOptions::new()).unwrap();
    assert_eq!(Router::attach(&matrix, "jobs").unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn messages_between_threads() {
    let matrix = matrix();
    let channel = Channel::create(&matrix, "jobs", &ChannelOptions::new().capacity(8)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..1000u64 {
                let mut block = matrix.alloc(8, &AllocOptions::new()).unwrap();
                block.copy_from_slice(&i.to_le_bytes());
                channel.post(block, 8, &PostOptions::new().tag(i), SOON).unwrap();
            }
        });
        let inbox = channel.subscribe().unwrap();
        for i in 0..1000u64 {
            let message = inbox.read(SOON).unwrap();
            assert_eq!((&*message, message.record().tag), (&i.to_le_bytes()[..], i));
            message.ack().unwrap();
        }
    });
    assert_eq!(channel.inquire().unwrap().waiting, 0);
    assert_eq!(channel.inquire().unwrap().held, 0);
}

#[test]
fn a_dropped_message_comes_again() {
    let matrix = matrix();
    let channel = Channel::create(&matrix, "jobs", &ChannelOptions::new()).unwrap();
    let block = matrix.alloc(64, &AllocOptions::new()).unwrap();
    channel.post(block, 3, &PostOptions::new(), SOON).unwrap();
    let inbox = channel.subscribe().unwrap();
    let message = inbox.read(SOON).unwrap();
    assert!(message.value::<u16>().is_ok());
    assert_eq!(message.value::<u32>().unwrap_err().name(), "EINVAL");
    drop(message);
    let block = inbox.read(SOON).unwrap().take().unwrap();
    assert!(block.len() >= 64);
    assert_eq!(inbox.read(Some(Duration::ZERO)).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(inbox.read(Some(Duration::from_millis(5))).unwrap_err().kind(), ErrorKind::TimedOut);
    channel.retire().unwrap();
    assert!(inbox.iter().next().is_none());
}

#[test]
fn a_log_is_written_and_read() {
    let folder = Folder::new();
    let path = folder.0.join("log");
    let options = LogOptions::new().flags(LogFlags::ANY_FILESYSTEM);
    let log = Log::open(&path, &options).unwrap();
    let first = log.append(b"one").unwrap();
    let last = log.append_batch(&[b"two", b"", b"four"]).unwrap();
    log.wait(last, SOON).unwrap();
    log.sync().unwrap();
    assert_eq!(log.durable(), log.tail());
    let reader = LogReader::open(&path, 0, ReaderFlags::default()).unwrap();
    let found: Vec<Vec<u8>> = reader.map(|record| record.unwrap().data).collect();
    assert_eq!(found, [&b"one"[..], b"two", b"", b"four"]);
    let mut reader = LogReader::open(&path, 0, ReaderFlags::default()).unwrap();
    let followed: Vec<u64> = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            log.append(b"late").unwrap() // nobody waits: it is written after a while
        });
        reader.follow().take(5).map(|record| record.unwrap().lsn).collect()
    });
    assert_eq!((followed[0], followed[3]), (first, last));
    let mut reader = LogReader::open(&path, last, ReaderFlags::default()).unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().data, b"four");
    reader.seek(first).unwrap();
    assert_eq!(reader.next_record().unwrap().unwrap().lsn, first);
    assert!(followed[4] > last);
    assert_eq!(log.error(), None);
    assert!(log.try_append(b"five").unwrap() > last);
    let sixth = log.append_parts(66, &[b"si", b"x"]).unwrap();
    log.wait(sixth, SOON).unwrap();
    reader.seek(sixth).unwrap();
    let found = reader.next_record().unwrap().unwrap();
    assert_eq!((found.data, found.tag), (&b"six"[..], 66));
    drop(log);
    store_cursor(&path, "me", first, CursorFlags::default()).unwrap();
    assert_eq!(load_cursor(&path, "me").unwrap(), first);
    assert_eq!(verify(&path).unwrap().verdict, LogVerdict::WHOLE.0);
    assert!(!repair(&path, None, &LogOptions::new()).unwrap().0);
}
