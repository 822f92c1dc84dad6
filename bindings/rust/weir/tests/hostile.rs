// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments that make no sense, and processes that forked: errors, never a panic or worse.
use std::fmt::Debug;
use std::os::raw::c_int;
use std::os::unix::io::AsRawFd;
use std::thread;
use std::time::Duration;
use weir::*;

const NOW: Option<Duration> = Some(Duration::ZERO);
const EVER: Option<Duration> = Some(Duration::MAX);

fn matrix() -> Matrix {
    Matrix::create(None, &MatrixOptions::new()).unwrap()
}

fn channel<'m>(matrix: &'m Matrix, name: &str) -> Channel<'m> {
    Channel::create(matrix, name, &ChannelOptions::new().capacity(16)).unwrap()
}

#[track_caller]
fn refused<T: Debug>(result: Result<T>, name: &str) {
    assert_eq!(result.unwrap_err().name(), name);
}

#[test]
fn counts_may_be_as_large_as_they_like() {
    let matrix = matrix();
    let channel = channel(&matrix, "jobs");
    let inbox = channel.subscribe().unwrap();
    let options = PoolOptions::new().capacity(64);
    for count in [1 << 33, isize::MAX as usize, usize::MAX] {
        let mut blocks = matrix.alloc_many(64, 5, &AllocOptions::new()).unwrap();
        channel.post_many(&mut blocks, &PostOptions::new(), NOW).unwrap();
        let messages = inbox.read_many(count, NOW).unwrap();
        assert_eq!(messages.len(), 5);
        inbox.ack_many(messages).unwrap();
        assert_eq!(matrix.alloc_many(64, count, &AllocOptions::new()).unwrap().len(), 65536);
        let pool = Pool::<u64>::create_in(&matrix, &count.to_string(), &options).unwrap();
        assert_eq!(pool.acquire_many(count, NOW).unwrap().len(), 64);
    }
    assert!(inbox.read_many(0, NOW).unwrap().is_empty());
    assert!(matrix.alloc_many(64, 0, &AllocOptions::new()).unwrap().is_empty());
}

#[test]
fn sizes_and_alignments() {
    let matrix = matrix();
    let options = AllocOptions::new();
    for size in [0, isize::MAX as usize, usize::MAX] {
        refused(matrix.alloc(size, &options), "EINVAL");
        refused(matrix.alloc_slice::<u64>(size, &options), "EINVAL");
        refused(matrix.alloc_many(size, 3, &options).map(|blocks| blocks.len()), "EINVAL");
        let mut block = matrix.alloc(8, &options).unwrap();
        refused(block.resize(size), "EINVAL");
        assert_eq!(block.len(), 8);
    }
    for alignment in [3, 96, usize::MAX] {
        refused(matrix.alloc_slice::<u8>(9, &options.alignment(alignment)), "EINVAL");
    }
    refused(Pool::<u64>::create(&PoolOptions::new().alignment(48)), "EINVAL");
    refused(Pool::<u64>::create(&PoolOptions::new().capacity(u64::MAX)), "EINVAL");
    refused(Ids::create(&IdsOptions::new().capacity(u64::MAX)), "EINVAL");
}

#[test]
fn values_of_no_bytes_and_of_a_large_alignment() {
    #[derive(Clone, Copy, Debug)]
    #[repr(C, align(536870912))]
    struct Far;
    // SAFETY: it has no bytes.
    unsafe impl Plain for Far {}
    #[repr(C, align(65536))]
    struct Wide([u8; 65536]);
    // SAFETY: bytes.
    unsafe impl Plain for Wide {}
    let (matrix, options) = (matrix(), AllocOptions::new());
    refused(matrix.alloc_value([0u64; 0], &options), "EINVAL");
    refused(matrix.alloc_slice::<[u64; 0]>(5, &options), "EINVAL");
    refused(matrix.alloc_slice::<Far>(1, &options), "EINVAL");
    refused(Pool::<()>::create(&PoolOptions::new()), "EINVAL");
    refused(Pool::<[u64; 0]>::create_in(&matrix, "none", &PoolOptions::new()), "EINVAL");
    refused(Pool::<Wide>::create_in(&matrix, "wide", &PoolOptions::new()), "EINVAL");
    let none = matrix.alloc(8, &options).unwrap().cast::<[u64; 0]>().unwrap();
    assert_eq!((none.len(), none.into_bytes().len()), (0, 0));
    let _shift = matrix.alloc(64, &options).unwrap();
    let wide = matrix.alloc_slice::<Wide>(2, &options).unwrap();
    assert_eq!((wide.as_ptr() as usize % 65536, wide[1].0.len()), (0, 65536));
}

#[test]
fn names() {
    let matrix = matrix();
    let long = "x".repeat(1 << 20);
    for (name, error) in [("a\0b", "EINVAL"), ("\0", "EINVAL"), (&*long, "ENAMETOOLONG")] {
        refused(Matrix::attach(name, &MatrixOptions::new()), error);
        refused(Matrix::unlink(name), error);
        refused(matrix.lookup(name), error);
        refused(Channel::open(&matrix, name, &ChannelOptions::new()), error);
        refused(Router::attach(&matrix, name), error);
        refused(Pool::<u64>::attach(&matrix, name, &PoolOptions::new()), error);
        refused(
            matrix.alloc(8, &AllocOptions::new()).unwrap().bind(name).map_err(Error::from),
            error,
        );
        assert!(Log::open(name, &LogOptions::new()).is_err());
        assert!(store_cursor("/nowhere", name, 0, CursorFlags::default()).is_err());
    }
    refused(matrix.lookup(""), "EINVAL");
}

#[test]
fn the_longest_wait() {
    let matrix = matrix();
    let (channel, full) = (channel(&matrix, "jobs"), channel(&matrix, "full"));
    let inbox = channel.subscribe().unwrap();
    let pool = Pool::create(&PoolOptions::new().capacity(1)).unwrap();
    let block = || matrix.alloc(8, &AllocOptions::new().timeout(EVER)).unwrap();
    while full.post(block(), 1, &PostOptions::new(), NOW).is_ok() {}
    thread::scope(|scope| {
        let slot = pool.acquire(1, EVER).unwrap();
        let reader = scope.spawn(|| inbox.read(EVER).unwrap().ack());
        let poster = scope.spawn(|| full.post(block(), 1, &PostOptions::new(), EVER).is_ok());
        let taker = scope.spawn(|| pool.acquire(2, EVER).is_ok());
        thread::sleep(Duration::from_millis(30));
        assert!(!reader.is_finished() && !poster.is_finished() && !taker.is_finished());
        channel.post(block(), 1, &PostOptions::new(), EVER).unwrap();
        full.subscribe().unwrap().read(EVER).unwrap().ack().unwrap();
        drop(slot);
        reader.join().unwrap().unwrap();
        assert!(poster.join().unwrap() && taker.join().unwrap());
    });
}

#[test]
fn the_longest_wait_for_a_log() {
    let path = std::env::temp_dir().join(format!("weir-rust-waits-{}", std::process::id()));
    let log = Log::open(&path, &LogOptions::new().flags(LogFlags::ANY_FILESYSTEM)).unwrap();
    let mut reader = LogReader::open(&path, 0, ReaderFlags::default()).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| reader.wait(EVER));
        thread::sleep(Duration::from_millis(30));
        assert!(!waiter.is_finished());
        log.wait(log.append(b"late").unwrap(), EVER).unwrap();
        waiter.join().unwrap().unwrap();
    });
    drop(log);
    std::fs::remove_dir_all(&path).unwrap();
}

/// A ref, and what a message says of itself, may be the same in two matrices.
#[test]
fn what_is_of_another_matrix_is_refused() {
    let (here, there) = (matrix(), matrix());
    let again = Matrix::attach_fd(here.as_raw_fd(), &MatrixOptions::new()).unwrap();
    let (mine, other) = (channel(&here, "jobs"), channel(&there, "jobs"));
    let router = Router::create(&here, "router").unwrap();
    let options = PostOptions::new();
    for foreign in [&there, &again] {
        let block = foreign.alloc(8, &AllocOptions::new()).unwrap();
        let block = mine.post(block, 8, &options, NOW).unwrap_err();
        assert_eq!(block.error.name(), "EINVAL");
        let block = router.post(block.value, 8, &RouteOptions::new(), NOW).unwrap_err();
        let mut blocks = vec![block.value];
        refused(mine.post_many(&mut blocks, &options, NOW), "EINVAL");
        assert_eq!(blocks.len(), 1);
    }
    other.post(there.alloc(8, &AllocOptions::new()).unwrap(), 8, &options, NOW).unwrap();
    let (inbox, outbox) = (mine.subscribe().unwrap(), other.subscribe().unwrap());
    refused(inbox.ack_many(outbox.read_many(1, NOW).unwrap()), "EINVAL");
    assert_eq!(outbox.read_many(1, NOW).unwrap().len(), 1); // it was put back
    drop(other);
    let clone = here.clone(); // the same participant
    mine.post(clone.alloc(8, &AllocOptions::new()).unwrap(), 8, &options, NOW).unwrap();
}

extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// Runs `work` in a fork child, whose panic is a failure here.
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child runs `work` alone and ends; the C library's allocator outlives a fork.
    let pid = unsafe { fork() };
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: ends the child without what the parent registered for its end.
        unsafe { _exit(c_int::from(done.is_err())) };
    }
    let mut status = -1;
    // SAFETY: a child of ours, and a valid pointer.
    assert_eq!(unsafe { waitpid(pid, &mut status, 0) }, pid);
    assert_eq!(status, 0, "the child's exit status");
}

#[test]
fn a_fork_child_owns_nothing_of_its_parent() {
    let matrix = matrix();
    let jobs = channel(&matrix, "jobs");
    let inbox = jobs.subscribe().unwrap();
    let pool = Pool::<u64>::create_in(&matrix, "pool", &PoolOptions::new()).unwrap();
    let path = std::env::temp_dir().join(format!("weir-rust-fork-{}", std::process::id()));
    let log = Log::open(&path, &LogOptions::new().flags(LogFlags::ANY_FILESYSTEM)).unwrap();
    jobs.post(matrix.alloc(8, &AllocOptions::new()).unwrap(), 8, &PostOptions::new(), NOW).unwrap();
    let mut block = Some(matrix.alloc(8, &AllocOptions::new()).unwrap());
    let mut kept = Some((
        matrix.alloc(8, &AllocOptions::new()).unwrap(),
        inbox.read(NOW).unwrap(),
        pool.acquire(7, NOW).unwrap(),
    ));
    block.as_mut().unwrap()[0] = 1;
    jobs.post(matrix.alloc(8, &AllocOptions::new()).unwrap(), 8, &PostOptions::new(), NOW).unwrap();
    let mut more = Some((inbox.read(NOW).unwrap(), pool.acquire(8, NOW).unwrap()));
    let own = Pool::create(&PoolOptions::new()).unwrap();
    let mut private = Some(own.acquire(String::from("a copy"), NOW).unwrap());
    in_child(|| {
        let rejected = jobs.post(block.take().unwrap(), 8, &PostOptions::new(), NOW).unwrap_err();
        assert!(rejected.error.is(sys::WEIR_E_FORKED), "{}", rejected.error);
        let mut block = rejected.value.cast::<[u8; 8]>().unwrap().into_bytes();
        refused(block.resize(4), "WEIR_E_FORKED");
        let mut blocks = vec![block];
        refused(jobs.post_many(&mut blocks, &PostOptions::new(), NOW), "WEIR_E_FORKED");
        let block = blocks.remove(0);
        refused(block.free(), "WEIR_E_FORKED");
        assert!(log.append(b"child").unwrap_err().is(sys::WEIR_E_FORKED));
        assert!(log.sync().unwrap_err().is(sys::WEIR_E_FORKED));
        let (block, message, slot) = kept.take().unwrap();
        refused(message.ack(), "WEIR_E_STALE");
        assert_eq!(slot.into_inner(), 7);
        drop(block); // it stays the parent's, and so does the slot
        drop(more.take());
        drop(private.take());
        let mine = matrix.alloc(8, &AllocOptions::new()).unwrap();
        jobs.post(mine, 8, &PostOptions::new(), NOW).unwrap(); // the handles are of use
    });
    let (block_too, message, slot) = kept.unwrap();
    let block = block.unwrap();
    assert_eq!((block[0], *slot, message.len()), (1, 7, 8));
    block.free().unwrap();
    block_too.free().unwrap();
    message.ack().unwrap();
    assert_eq!(pool.stats().unwrap().live, 2);
    drop(slot);
    let (message, slot) = more.unwrap();
    assert_eq!((*slot, message.len(), private.unwrap().as_str()), (8, 8, "a copy"));
    message.ack().unwrap();
    inbox.read(NOW).unwrap().ack().unwrap();
    log.wait(log.append(b"parent").unwrap(), None).unwrap();
    drop(log);
    let found: Vec<_> = LogReader::open(&path, 0, ReaderFlags::default()).unwrap().collect();
    assert_eq!(found.len(), 1);
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_fork_child_drops_all_it_has() {
    let matrix = matrix();
    let block = matrix.alloc(8, &AllocOptions::new()).unwrap().into_raw();
    let broadcast = ChannelOptions::new().mode(ChannelMode::BROADCAST);
    let all = Channel::create(&matrix, "all", &broadcast).unwrap().clone();
    let mut inbox = Some(all.subscribe().unwrap());
    let mut ids = Some(Ids::create(&IdsOptions::new()).unwrap());
    in_child(|| {
        let inbox = inbox.take().unwrap();
        assert!(inbox.read(NOW).unwrap_err().is(sys::WEIR_E_FORKED));
        drop((inbox, ids.take(), all.clone(), matrix.clone()));
    });
    assert_eq!(matrix.owner(block).unwrap(), matrix.participant().unwrap());
    all.post(matrix.alloc(8, &AllocOptions::new()).unwrap(), 8, &PostOptions::new(), NOW).unwrap();
    assert_eq!(inbox.unwrap().read(NOW).unwrap().len(), 8);
    assert!(ids.unwrap().acquire().is_ok());
}
