// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures what takes and gives back slots in Rust. Reads lines "PEER THREADS PAIRS" from standard
//! input and answers each with a line "NANOSECONDS DAMAGED": processor time of one pair, the slowest
//! thread's. So the caller can alternate it with others.

use crossbeam_queue::ArrayQueue;
use sharded_slab::Slab;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::sync::Barrier;
use std::time::Duration;

const CAPACITY: usize = 1024;

/// A slot of 64 bytes.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Payload([u64; 8]);

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// CLOCK_THREAD_CPUTIME_ID: what others do on the machine does not count.
fn thread_time() -> Duration {
    let mut time = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: the pointer is valid for the call.
    unsafe { clock_gettime(3, &mut time) };
    Duration::new(time.seconds as u64, time.nanoseconds as u32)
}

/// Runs `pair(i)`, which says whether what was written was read back, in `threads` threads.
fn measure(threads: usize, pairs: u64, pair: impl Fn(u64) -> bool + Sync) -> (f64, u64) {
    let barrier = Barrier::new(threads);
    let one = || {
        let mut damaged = 0;
        for i in 0..pairs / 20 {
            damaged += u64::from(!pair(i)); // first touch is not counted
        }
        barrier.wait();
        let began = thread_time();
        for i in 0..pairs {
            damaged += u64::from(!pair(i));
        }
        let took = thread_time() - began;
        (took.as_nanos() as f64 / pairs as f64, damaged)
    };
    let results: Vec<(f64, u64)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|t| t.join().unwrap()).collect()
    });
    results
        .into_iter()
        .fold((0.0, 0), |sum, one| (sum.0.max(one.0), sum.1 + one.1))
}

/// A pool of indexes: the queue holds what is free.
fn array_queue(threads: usize, pairs: u64) -> (f64, u64) {
    struct Slots(Vec<std::cell::UnsafeCell<Payload>>);
    // SAFETY: an index is in one thread's hand at a time.
    unsafe impl Sync for Slots {}
    let slots = Slots(
        (0..CAPACITY)
            .map(|_| Payload([0; 8]).into())
            .collect(),
    );
    let slots = &slots;
    let free = ArrayQueue::new(CAPACITY);
    for i in 0..CAPACITY {
        free.push(i).unwrap();
    }
    measure(threads, pairs, |i| {
        let Some(index) = free.pop() else {
            return false;
        };
        // SAFETY: the index is ours until it is pushed.
        let read = unsafe {
            let word = (*slots.0[index].get()).0.as_mut_ptr();
            word.write(i);
            black_box(word).read()
        };
        free.push(index).is_ok() && read == i
    })
}

fn sharded_slab(threads: usize, pairs: u64) -> (f64, u64) {
    let slab = Slab::new();
    measure(threads, pairs, |i| {
        let Some(key) = slab.insert(Payload([i; 8])) else {
            return false;
        };
        let read = slab.get(black_box(key)).map(|slot| slot.0[0]);
        slab.remove(key) && read == Some(i)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("crossbeam-queue 0.3.12, sharded-slab 0.1.7");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let peer = words.next().ok_or("no peer")?;
        let threads: usize = words.next().ok_or("no threads")?.parse()?;
        let pairs: u64 = words.next().ok_or("no pairs")?.parse()?;
        let (nanoseconds, damaged) = match peer {
            "array-queue" => array_queue(threads, pairs),
            "sharded-slab" => sharded_slab(threads, pairs),
            _ => return Err("no such peer".into()),
        };
        println!("{nanoseconds} {damaged}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
