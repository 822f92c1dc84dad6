// SPDX-License-Identifier: MIT OR Apache-2.0
//! One side of the message rate in Rust, see rates.c, and what a call costs.
//! usage: binding-rates calls | post|read MATRIX CHANNEL MESSAGES BATCH
use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::os::raw::c_int;
use std::ptr;
use std::time::Instant;

use weir_sys as sys;

const SIZE: usize = 64;
const PERIOD: usize = 251;
const CALLS: u32 = 200_000;
const ROUNDS: usize = 101;

extern "C" {
    fn empty_number() -> u32;
    fn empty_size(object: *const usize) -> usize;
}

fn must(result: c_int) -> usize {
    if result < 0 {
        // SAFETY: a static string for every code.
        let why = unsafe { CStr::from_ptr(sys::weir_strerror(result)) };
        eprintln!("binding-rates: {}", why.to_string_lossy());
        std::process::exit(1);
    }
    result as usize
}

/// Nanoseconds per call of each, and what they are beside each other; medians.
fn in_turns(ours: impl Fn(), empty: impl Fn()) -> [f64; 3] {
    let time = |call: &dyn Fn()| {
        let began = Instant::now();
        call();
        began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let mut found = [vec![], vec![], vec![]];
    for _ in 0..ROUNDS {
        let (one, other) = (time(&ours), time(&empty));
        found[0].push(one);
        found[1].push(other);
        found[2].push(one / other);
    }
    found.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

fn repeat<T>(call: impl Fn() -> T) -> impl Fn() {
    move || {
        for _ in 0..CALLS {
            black_box(call());
        }
    }
}

fn calls() {
    // SAFETY: the functions take nothing, or a NULL that they allow.
    let (number, size) = unsafe {
        (
            in_turns(repeat(|| sys::weir_version_number()), repeat(|| empty_number())),
            in_turns(
                repeat(|| sys::weir_pool_slot_size(black_box(ptr::null_mut()))),
                repeat(|| empty_size(black_box(ptr::null()))),
            ),
        )
    };
    println!("{{\"weir_version_number()\": {number:?}, \"weir_pool_slot_size(pool)\": {size:?}}}");
}

/// Message i is 64 bytes of value i % 251; a batch may begin with any of them.
fn pattern(batch: usize) -> Vec<u8> {
    (0..PERIOD + batch).flat_map(|i| [(i % PERIOD) as u8; SIZE]).collect()
}

fn post(channel: *mut sys::weir_channel, messages: usize, batch: usize) {
    let (data, mut at) = (pattern(batch), 0);
    while at < messages {
        let first = data[at % PERIOD * SIZE..].as_ptr().cast();
        // SAFETY: `batch` messages stand behind each of the first `PERIOD` ones.
        at += must(unsafe {
            sys::weir_channel_post_copies(
                channel,
                first,
                SIZE,
                ptr::null(),
                ptr::null(),
                batch.min(messages - at),
                ptr::null(),
                -1,
            )
        });
    }
}

fn read(channel: *mut sys::weir_channel, messages: usize, batch: usize) {
    let (data, mut at, mut start) = (pattern(batch), 0, 0);
    let mut found: Vec<sys::weir_message> = Vec::with_capacity(batch);
    let mut room = vec![0u8; batch * SIZE];
    let mut inbox = ptr::null_mut();
    let mut began = Instant::now();
    // SAFETY: the arrays have room for `batch` messages, and `count` of them are filled.
    unsafe {
        must(sys::weir_channel_subscribe(channel, &mut inbox));
        while at < messages {
            let count = must(sys::weir_channel_read_copies(
                inbox,
                SIZE,
                batch,
                -1,
                found.as_mut_ptr(),
                room.as_mut_ptr().cast(),
            ));
            let first = at % PERIOD * SIZE;
            assert!(
                room[..count * SIZE] == data[first..first + count * SIZE],
                "message {at} is wrong"
            );
            must(sys::weir_channel_ack_many(inbox, found.as_ptr(), count));
            if at == 0 {
                start = count;
                began = Instant::now();
            }
            at += count;
        }
        println!("{:.0}", (messages - start) as f64 / began.elapsed().as_secs_f64());
        sys::weir_subscription_close(inbox);
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() == 2 && args[1] == "calls" {
        return calls();
    }
    let text = |i: usize| CString::new(args[i].as_str()).expect("no NUL");
    let count = |i: usize| args[i].parse::<usize>().expect("a number");
    let (mut matrix, mut channel) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: names end with NUL, and the handles are ours until they are given back.
    unsafe {
        must(sys::weir_matrix_attach(text(2).as_ptr(), ptr::null(), &mut matrix));
        must(sys::weir_channel_attach(matrix, text(3).as_ptr(), ptr::null(), &mut channel));
    }
    (if args[1] == "post" { post } else { read })(channel, count(4), count(5));
    // SAFETY: as above.
    unsafe {
        sys::weir_channel_unref(channel);
        sys::weir_matrix_unref(matrix);
    }
}
