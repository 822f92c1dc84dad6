// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures crossbeam's channel between threads. Reads lines "stream POSTERS READERS MESSAGES" from
//! standard input and answers each with a line "NANOSECONDS MESSAGES DAMAGED". One reader.

use crossbeam_channel::{bounded, Receiver};
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Barrier;
use std::time::Instant;

/// Messages that wait, as in the channels beside which this is measured.
const WAITING: usize = 1024;

/// A message of 64 bytes.
type Payload = [u64; 8];

/// What was not written so, or not in its poster's order.
fn read(from: &Receiver<Payload>, posters: usize, messages: u64) -> u64 {
    let mut next = vec![0u64; posters];
    let mut damaged = 0;
    for _ in 0..messages {
        let Ok(got) = from.recv() else {
            return damaged + 1;
        };
        let own = (got[0] >> 32) as usize;
        let right = own < posters && got == [(own as u64) << 32 | next[own]; 8];
        damaged += u64::from(!right);
        if right {
            next[own] += 1;
        }
    }
    damaged
}

fn stream(posters: usize, messages: u64) -> (u128, u64) {
    let (to, from) = bounded::<Payload>(WAITING);
    let barrier = Barrier::new(posters + 1);
    std::thread::scope(|scope| {
        for own in 0..posters {
            let (to, barrier) = (to.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..messages / posters as u64 {
                    if to.send([(own as u64) << 32 | number; 8]).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to);
        barrier.wait();
        let began = Instant::now();
        let damaged = read(&from, posters, messages);
        (began.elapsed().as_nanos(), damaged)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("crossbeam-channel 0.5.15");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["stream", posters, "1", messages] = words[..] else {
            return Err("no such question".into());
        };
        let messages: u64 = messages.parse()?;
        let (nanoseconds, damaged) = stream(posters.parse()?, messages);
        println!("{nanoseconds} {messages} {damaged}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
