// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values in blocks, batches, walks and routers.
use std::io::ErrorKind;
use std::ops::ControlFlow::{Break, Continue};
use std::os::unix::io::AsRawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Duration;
use weir::*;

const NOW: Option<Duration> = Some(Duration::ZERO);

fn matrix() -> Matrix {
    Matrix::create(None, &MatrixOptions::new().capacity(16 << 20)).unwrap()
}

fn used(matrix: &Matrix) -> u64 {
    matrix.stats().unwrap().used_blocks
}

#[test]
fn values_and_slices() {
    let matrix = matrix();
    let mut pair = matrix.alloc_value([1u64, 2], &AllocOptions::new()).unwrap();
    pair[1] += 5;
    let bytes = pair.into_bytes();
    assert_eq!((bytes.len(), bytes[8]), (16, 7));
    assert_eq!(*bytes.cast::<[u64; 2]>().unwrap(), [1, 7]);
    let zero = AllocOptions::new().flags(AllocFlags::ZERO);
    let mut words = matrix.alloc_slice::<u32>(1000, &zero).unwrap();
    words[999] = 1;
    assert_eq!(words.iter().sum::<u32>(), 1);
    let small = matrix.alloc(7, &zero).unwrap().cast::<u64>().unwrap_err();
    assert_eq!((small.error.name(), small.value.len()), ("EINVAL", 7));
    let error = matrix.alloc_slice::<u64>(usize::MAX / 4, &zero).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    drop((words, small));
    assert_eq!(used(&matrix), 0);
}

#[test]
fn alignment_is_that_of_the_value() {
    #[repr(C, align(4096))]
    struct Page([u8; 4096]);
    // SAFETY: bytes.
    unsafe impl Plain for Page {}
    let matrix = matrix();
    let _shift = matrix.alloc(1500, &AllocOptions::new()).unwrap();
    let page = matrix.alloc_value(Page([9; 4096]), &AllocOptions::new()).unwrap();
    assert_eq!((&*page as *const Page as usize % 4096, page.0[4095]), (0, 9));
}

#[test]
fn sizes_change() {
    let matrix = matrix();
    let mut block = matrix.alloc(5000, &AllocOptions::new()).unwrap();
    block[..5].copy_from_slice(b"hello");
    block.resize(4000).unwrap();
    assert_eq!((block.len(), &block[..5]), (4000, &b"hello"[..]));
    let moved = block.realloc(3_000_000, &AllocOptions::new()).unwrap();
    assert_eq!((moved.len(), &moved[..5], used(&matrix)), (3_000_000, &b"hello"[..], 1));
    let rejected = moved.realloc(usize::MAX, &AllocOptions::new()).unwrap_err();
    assert_eq!((rejected.value.len(), &rejected.value[..5]), (3_000_000, &b"hello"[..]));
}

#[test]
fn states_and_owners() {
    let matrix = matrix();
    let block = matrix.alloc(1, &AllocOptions::new().state(50)).unwrap();
    let raw = block.block();
    assert_eq!(matrix.block_state(raw).unwrap(), 50);
    matrix.transition(raw, 50, 60).unwrap();
    assert!(matrix.transition(raw, 50, 70).is_err());
    matrix.set_block_state(raw, 0).unwrap();
    assert_eq!(matrix.block_state(raw).unwrap(), 0);
    assert_eq!(matrix.owner(raw).unwrap(), matrix.participant().unwrap());
    assert_eq!(matrix.owner(block.give(sys::WEIR_OWNER_NONE).unwrap()).unwrap(), 0);
}

#[test]
fn batches() {
    let matrix = matrix();
    let options = ChannelOptions::new().capacity(16);
    let channel = Channel::create(&matrix, "jobs", &options).unwrap();
    let mut blocks = matrix.alloc_many(100, 20, &AllocOptions::new()).unwrap();
    blocks.iter_mut().zip(0..).for_each(|(block, i)| block[0] = i);
    assert_eq!(channel.post_many(&mut blocks, &PostOptions::new(), NOW).unwrap(), 16);
    assert_eq!((blocks.len(), blocks[0][0]), (4, 16));
    drop(blocks);
    let inbox = channel.subscribe().unwrap();
    let mut messages = inbox.read_many(100, NOW).unwrap();
    let first: Vec<u8> = messages.iter().map(|message| message[0]).collect();
    assert_eq!(first, (0..16).collect::<Vec<u8>>());
    drop(messages.drain(10..)); // they are put back
    inbox.ack_many(messages).unwrap();
    assert_eq!(inbox.read_many(100, NOW).unwrap().len(), 6);
    assert_eq!(used_data(&matrix), 6);
}

/// Blocks of the user's: the channel has some of its own.
fn used_data(matrix: &Matrix) -> usize {
    let mut found = 0;
    let count = |block: &BlockInfo| {
        found += usize::from(block.kind == BlockKind::ALLOCATED.0 && block.length == 128);
        Continue(())
    };
    matrix.walk(count).unwrap();
    found
}

#[test]
fn descriptors_are_readable_in_time() {
    let matrix = matrix();
    let again = Matrix::attach_fd(matrix.as_raw_fd(), &MatrixOptions::new()).unwrap();
    let channel = Channel::create(&matrix, "jobs", &ChannelOptions::new()).unwrap();
    let inbox = channel.subscribe().unwrap();
    assert!(inbox.as_raw_fd() >= 0);
    assert_eq!((again.name(), again.uuid().unwrap()), ("", matrix.uuid().unwrap()));
}

#[test]
fn walks_end_when_they_are_told_to() {
    let matrix = matrix();
    let _blocks = matrix.alloc_many(100, 8, &AllocOptions::new()).unwrap();
    let mut seen = 0;
    matrix
        .walk(|_| {
            seen += 1;
            if seen < 3 {
                Continue(())
            } else {
                Break(())
            }
        })
        .unwrap();
    assert_eq!(seen, 3);
    let mut pids = Vec::new();
    let note = |one: &ParticipantInfo| {
        pids.push(one.pid as u32);
        Continue(())
    };
    matrix.participants(note).unwrap();
    assert_eq!(pids, [std::process::id()]);
    let mut told = (0, 0);
    let note = |done, total| {
        told = (done, total);
        Continue(())
    };
    matrix.prefault(1 << 20, note).unwrap();
    assert!(told.0 == told.1 && told.1 >= 1 << 20, "{told:?}");
    assert_eq!(matrix.check(CheckFlags::default()).unwrap().0, 0);
    assert_eq!((matrix.heal().unwrap(), matrix.memory().unwrap().pages), (0, Pages::NORMAL.0));
}

#[test]
fn a_panic_in_a_callback_goes_on_behind_the_call() {
    let matrix = matrix();
    let _blocks = matrix.alloc_many(100, 3, &AllocOptions::new()).unwrap();
    let mut seen = 0;
    let call = || {
        matrix.walk(|_| {
            seen += 1;
            panic!("block {seen}")
        })
    };
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "block 1");
    assert_eq!((seen, used(&matrix)), (1, 3)); // it was not called again, and all goes on
    let call = || matrix.prefault(1 << 20, |_, _| panic!("enough"));
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"enough"));
}

#[test]
fn rules_say_where_a_message_goes() {
    let matrix = matrix();
    let odd = Channel::create(&matrix, "odd", &ChannelOptions::new()).unwrap();
    let rest = Channel::create(&matrix, "rest", &ChannelOptions::new()).unwrap();
    let router = Router::create(&matrix, "router").unwrap();
    let rule = RouterRule::new().condition(RouterCondition::MASK).mask(1).tag(1).channels("odd");
    let first = router.add_rule(&rule).unwrap();
    let rule = RouterRule::new().condition(RouterCondition::OTHERWISE).channels("rest\nodd");
    router.add_rule(&rule.action(RouterAction::COPY)).unwrap();
    let post = |tag| {
        let block = matrix.alloc_value(tag, &AllocOptions::new()).unwrap();
        router.post(block, 8, &RouteOptions::new().tag(tag), NOW)
    };
    assert_eq!((post(1).unwrap(), post(2).unwrap()), (1, 2));
    assert_eq!((odd.inquire().unwrap().waiting, rest.inquire().unwrap().waiting), (2, 1));
    let mut matched = Vec::new();
    let note = |rule: &RuleInfo| {
        matched.push((rule.id, rule.matched));
        Continue(())
    };
    router.rules(note).unwrap();
    assert_eq!(matched[0], (first, 1));
    router.remove_rule(first).unwrap();
    assert_eq!(post(1).unwrap(), 2);
    let bad = RouterRule::new().channels("a\0b");
    assert_eq!(router.add_rule(&bad).unwrap_err().name(), "EINVAL");
    router.retire().unwrap();
    let rejected = post(3).unwrap_err();
    assert!(rejected.error.is(sys::WEIR_E_RETIRED));
    assert_eq!(*rejected.value, 3);
}
