// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures iceoryx2's loan and release. Reads lines "SIZE PAIRS" from standard input and answers
//! each with a line "NANOSECONDS PAIRS FAILED DAMAGED": so the caller can alternate it with others.

mod place;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::prelude::*;
use place::{config, version, Place};
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

type Bytes = Publisher<ipc::Service, [u8], ()>;

#[derive(Default)]
struct Outcome {
    nanoseconds: u128,
    pairs: u64,
    failed: u64,
    damaged: u64,
}

/// The same payload as on the other side of the comparison: one word, written and read back.
fn measure(publisher: &Bytes, size: usize, pairs: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let began = Instant::now();
    for i in 0..pairs {
        let Ok(mut sample) = publisher.loan_slice_uninit(size) else {
            outcome.failed += 1;
            continue;
        };
        let word = sample.payload_mut().as_mut_ptr() as *mut u64;
        // SAFETY: the payload has at least 8 bytes (main() sees to it).
        let read = unsafe {
            word.write_unaligned(i);
            black_box(word).read_unaligned()
        };
        outcome.damaged += u64::from(read != i);
        drop(sample); // not sent: the memory goes back to the publisher's pool
        outcome.pairs += 1;
    }
    outcome.nanoseconds = began.elapsed().as_nanos();
    outcome
}

fn publisher(node: &Node<ipc::Service>, size: usize) -> Result<Bytes, Box<dyn Error>> {
    let name = format!("weir-bench/{}/{size}", std::process::id());
    let service = node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<[u8]>()
        .create()?;
    Ok(service
        .publisher_builder()
        .initial_max_slice_len(size)
        .create()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    set_log_level(LogLevel::Error);
    let place = Place::new(); // dropped after the node
    let node = NodeBuilder::new()
        .config(&config(place.name())?)
        .create::<ipc::Service>()?;
    println!("iceoryx2 {}", version());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let size: usize = words.next().ok_or("no size")?.parse()?;
        let pairs: u64 = words.next().ok_or("no pairs")?.parse()?;
        let publisher = publisher(&node, size.max(8))?;
        measure(&publisher, size.max(8), pairs / 20); // first touch is not counted
        let it = measure(&publisher, size.max(8), pairs);
        println!(
            "{} {} {} {}",
            it.nanoseconds, it.pairs, it.failed, it.damaged
        );
        std::io::stdout().flush()?;
    }
    Ok(())
}
