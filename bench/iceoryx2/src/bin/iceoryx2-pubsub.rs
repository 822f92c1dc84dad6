// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures iceoryx2's messages between processes. Reads questions from standard input, a line each,
//! and answers with a line each:
//!   latency spin|sleep SIZE MESSAGES GAP_NS  ->  the one-way times in ns: P50 P90 P99 P99.9 DAMAGED
//!   throughput PUBLISHERS SUBSCRIBERS MESSAGES  ->  NANOSECONDS MESSAGES DAMAGED
//! Each is answered by new processes of this program, so that every one is a node of its own.

#[path = "../place.rs"]
mod place;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut::SampleMut;
use iceoryx2::service::port_factory::publish_subscribe;
use place::{config, version, Place};
use std::error::Error;
use std::hint::{black_box, spin_loop};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

type Failure = Box<dyn Error>;
type Service = ipc::Service;
type Bytes = publish_subscribe::PortFactory<Service, [u8], ()>;

/// Messages that wait for a subscriber, as in the channels beside which this is measured.
const WAITING: usize = 1024;
/// Bytes of a message of `throughput`.
const SMALL: usize = 64;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    fn sched_getaffinity(process: i32, bytes: usize, mask: *mut u64) -> i32;
    fn sched_setaffinity(process: i32, bytes: usize, mask: *const u64) -> i32;
}

/// CLOCK_MONOTONIC: one clock for all processes.
fn now() -> u64 {
    let mut time = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: the pointer is valid for the call.
    unsafe { clock_gettime(1, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

fn spin_for(nanoseconds: u64) {
    let resume = now() + nanoseconds;
    while now() < resume {
        spin_loop();
    }
}

/// The `number`-th processor that we may use, alone; if there are several.
fn pin(number: usize) {
    let mut mask = [0u64; 16];
    // SAFETY: the arrays are as long as is said.
    unsafe {
        if sched_getaffinity(0, 128, mask.as_mut_ptr()) != 0 {
            return;
        }
        let usable: Vec<usize> = (0..1024)
            .filter(|i| mask[i / 64] >> (i % 64) & 1 == 1)
            .collect();
        if usable.len() < 2 {
            return;
        }
        let mut one = [0u64; 16];
        one[usable[number] / 64] = 1 << (usable[number] % 64);
        sched_setaffinity(0, 128, one.as_ptr());
    }
}

fn node(place: &str) -> Result<Node<Service>, Failure> {
    Ok(NodeBuilder::new()
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .config(&config(place)?)
        .create::<Service>()?)
}

/// Nothing is dropped: who finds a subscriber's buffer full waits.
fn service(node: &Node<Service>, name: &str) -> Result<Bytes, Failure> {
    Ok(node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(WAITING)
        .max_publishers(8)
        .max_subscribers(8)
        .max_nodes(16)
        .open_or_create()?)
}

fn publisher(service: &Bytes, size: usize) -> Result<Publisher<Service, [u8], ()>, Failure> {
    Ok(service
        .publisher_builder()
        .initial_max_slice_len(size)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?)
}

/// A message sent before all are connected would be dropped.
fn wait_until_connected(service: &Bytes, publishers: usize, subscribers: usize) {
    let all = service.dynamic_config();
    while all.number_of_publishers() < publishers || all.number_of_subscribers() < subscribers {
        std::thread::yield_now();
    }
}

/// Until all processes are there. A subscriber connects when it receives, and before that even
/// publishers that wait for room drop what it has no room for.
fn wait_for_all() -> Result<(), Failure> {
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn first_and_last(bytes: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    (word(0), word(bytes.len() - 8))
}

/// One side of a ping-pong: it sends on one service and receives on another. Asleep it is woken by
/// an event, as there is no other way.
struct Side {
    publisher: Publisher<Service, [u8], ()>,
    subscriber: Subscriber<Service, [u8], ()>,
    events: Option<(Notifier<Service>, Listener<Service>)>,
    size: usize,
    next: Option<SampleMut<Service, [u8], ()>>,
    got: Option<Sample<Service, [u8], ()>>,
}

impl Side {
    fn new(
        node: &Node<Service>,
        to: &str,
        from: &str,
        sleeps: bool,
        size: usize,
    ) -> Result<Self, Failure> {
        let (out, into) = (service(node, to)?, service(node, from)?);
        let subscriber = into.subscriber_builder().create()?;
        let publisher = publisher(&out, size)?;
        let event = |name: &str| -> Result<_, Failure> {
            Ok(node
                .service_builder(&format!("{name}/event").as_str().try_into()?)
                .event()
                .open_or_create()?)
        };
        let events = if sleeps {
            let (there, here) = (event(to)?, event(from)?);
            let listener = here.listener_builder().create()?;
            while there.dynamic_config().number_of_listeners() == 0 {
                std::thread::yield_now();
            }
            Some((there.notifier_builder().create()?, listener))
        } else {
            None
        };
        wait_until_connected(&out, 1, 1);
        wait_until_connected(&into, 1, 1);
        Ok(Self {
            publisher,
            subscriber,
            events,
            size,
            next: None,
            got: None,
        })
    }

    /// The next message, written in place.
    fn prepare(&mut self, number: u64) -> Result<(), Failure> {
        let mut sample = self.publisher.loan_slice_uninit(self.size)?;
        let data = sample.payload_mut().as_mut_ptr() as *mut u8;
        // SAFETY: the payload has at least 8 bytes, and nobody reads those between.
        self.next = Some(unsafe {
            (data as *mut u64).write_unaligned(number);
            (data.add(self.size - 8) as *mut u64).write_unaligned(number);
            sample.assume_init()
        });
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.next.take().ok_or("nothing to send")?.send()?;
        if let Some((notifier, _)) = &self.events {
            notifier.notify()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Failure> {
        while self.got.is_none() {
            self.got = self.subscriber.receive()?;
            if self.got.is_none() {
                if let Some((_, listener)) = &self.events {
                    listener.blocking_wait(|_| ())?;
                }
            }
        }
        Ok(())
    }

    /// Whether it is what was written.
    fn finish(&mut self, number: u64) -> bool {
        let got = self.got.take();
        got.is_some_and(|it| first_and_last(it.payload()) == (number, number))
    }
}

fn ping(mut side: Side, messages: u64, gap: u64) -> Result<(), Failure> {
    wait_for_all()?;
    let clock = (0..1000)
        .map(|_| {
            let t = now();
            now() - t
        })
        .min()
        .unwrap_or(0);
    let mut times = Vec::new();
    let mut damaged = 0u64;
    for number in 0..messages {
        side.prepare(number)?;
        spin_for(gap);
        let began = now();
        side.send()?;
        side.receive()?;
        let took = now() - began;
        damaged += u64::from(!side.finish(number));
        if number >= messages / 10 {
            times.push(took.saturating_sub(clock) as f64 / 2.0);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[(part * (times.len() - 1) as f64) as usize];
    println!(
        "{} {} {} {} {damaged}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999)
    );
    Ok(())
}

fn pong(mut side: Side, messages: u64, gap: u64) -> Result<(), Failure> {
    wait_for_all()?;
    let mut damaged = 0u64;
    for number in 0..messages {
        side.prepare(number)?;
        side.receive()?;
        side.send()?;
        spin_for(gap / 2); // what is released is no part of it
        damaged += u64::from(!side.finish(number));
    }
    println!("{damaged}");
    Ok(())
}

/// What a publisher has sent goes with it, unless it was read: so it is kept until the end.
fn publish(
    service: &Bytes,
    publishers: usize,
    subscribers: usize,
    own: u64,
    messages: u64,
) -> Result<Publisher<Service, [u8], ()>, Failure> {
    let publisher = publisher(service, SMALL)?;
    wait_until_connected(service, publishers, subscribers);
    wait_for_all()?;
    let began = now();
    for number in 0..messages {
        let mut sample = publisher.loan_slice_uninit(SMALL)?;
        let words = sample.payload_mut().as_mut_ptr() as *mut u64;
        // SAFETY: the payload has 64 bytes, all of which are written.
        let sample = unsafe {
            for i in 0..8 {
                words.add(i).write_unaligned(own << 32 | number);
            }
            sample.assume_init()
        };
        sample.send()?;
    }
    println!("{began}");
    Ok(publisher)
}

/// Counts each message, and what was not written so, or not in its turn.
fn subscribe(
    service: &Bytes,
    publishers: usize,
    subscribers: usize,
    messages: u64,
) -> Result<(), Failure> {
    let subscriber = service.subscriber_builder().buffer_size(WAITING).create()?;
    wait_until_connected(service, publishers, subscribers);
    if subscriber.receive()?.is_some() {
        return Err("a message before the beginning".into());
    }
    wait_for_all()?;
    let mut next = vec![0u64; publishers];
    let (mut damaged, mut seen, mut idle) = (0u64, 0u64, 0u32);
    while seen < messages {
        let Some(sample) = subscriber.receive()? else {
            idle += 1;
            if idle > 64 {
                std::thread::yield_now();
            } else {
                spin_loop();
            }
            continue;
        };
        idle = 0;
        seen += 1;
        let words = sample.payload().as_ptr() as *const u64;
        // SAFETY: the payload has 64 bytes.
        let read = unsafe {
            std::array::from_fn::<u64, 8, _>(|i| black_box(words).add(i).read_unaligned())
        };
        let own = (read[0] >> 32) as usize;
        let right = own < publishers && read == [(own as u64) << 32 | next[own]; 8];
        damaged += u64::from(!right);
        if right {
            next[own] += 1;
        }
    }
    println!("{} {damaged}", now());
    Ok(())
}

/// In a process of its own, which stays until standard input ends.
fn play(role: &[String]) -> Result<(), Failure> {
    let number = |i: usize| -> Result<u64, Failure> { Ok(role[i].parse()?) };
    let node = node(&role[1])?;
    let service = || service(&node, "throughput");
    let mut kept = None;
    match role[0].as_str() {
        "ping" | "pong" => {
            let (pinging, sleeps, size) =
                (role[0] == "ping", role[2] == "sleep", number(3)? as usize);
            pin(usize::from(!pinging));
            if pinging {
                ping(
                    Side::new(&node, "there", "back", sleeps, size)?,
                    number(4)?,
                    number(5)?,
                )?;
            } else {
                pong(
                    Side::new(&node, "back", "there", sleeps, size)?,
                    number(4)?,
                    number(5)?,
                )?;
            }
        }
        "publish" => {
            let (publishers, subscribers) = (number(2)? as usize, number(3)? as usize);
            kept = Some(publish(
                &service()?,
                publishers,
                subscribers,
                number(5)?,
                number(4)?,
            )?);
        }
        "subscribe" => subscribe(
            &service()?,
            number(2)? as usize,
            number(3)? as usize,
            number(4)?,
        )?,
        _ => return Err("no such role".into()),
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(kept);
    Ok(())
}

struct Player {
    process: Child,
    answer: BufReader<std::process::ChildStdout>,
}

impl Player {
    fn start(role: &[String]) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answer = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        Ok(Self { process, answer })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        if line.is_empty() {
            return Err("a process has failed".into());
        }
        Ok(line)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let to = self.process.stdin.as_mut().ok_or("no pipe")?;
        Ok(to.write_all(b"begin\n")?)
    }

    fn words(&mut self) -> Result<Vec<f64>, Failure> {
        let line = self.line()?;
        line.split_whitespace().map(|w| Ok(w.parse()?)).collect()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// All begin when all are ready.
fn play_together(players: &mut [Player]) -> Result<Vec<Vec<f64>>, Failure> {
    for player in players.iter_mut() {
        player.line()?;
    }
    for player in players.iter_mut() {
        player.begin()?;
    }
    players.iter_mut().map(Player::words).collect()
}

fn all_words(mut players: Vec<Player>) -> Result<Vec<Vec<f64>>, Failure> {
    let answers = play_together(&mut players);
    if answers.is_err() {
        for player in &mut players {
            let _ = player.process.kill(); // it would wait for the one that failed
        }
    }
    answers
}

fn latency(place: &str, words: &[&str]) -> Result<String, Failure> {
    let role = |name: &str| -> Vec<String> {
        [name, place]
            .iter()
            .chain(words)
            .map(|w| w.to_string())
            .collect()
    };
    let players = vec![Player::start(&role("ping"))?, Player::start(&role("pong"))?];
    let answers = all_words(players)?;
    let it = &answers[0];
    Ok(format!(
        "{} {} {} {} {}",
        it[0],
        it[1],
        it[2],
        it[3],
        it[4] + answers[1][0]
    ))
}

fn throughput(place: &str, words: &[&str]) -> Result<String, Failure> {
    let (publishers, subscribers): (u64, u64) = (words[0].parse()?, words[1].parse()?);
    let each = words[2].parse::<u64>()? / publishers;
    let all = each * publishers;
    let role = |name: &str, messages: u64, own: u64| -> Vec<String> {
        [
            name,
            place,
            words[0],
            words[1],
            &messages.to_string(),
            &own.to_string(),
        ]
        .map(str::to_string)
        .to_vec()
    };
    let mut players = Vec::new();
    for own in 0..publishers {
        players.push(Player::start(&role("publish", each, own))?);
    }
    for own in 0..subscribers {
        players.push(Player::start(&role("subscribe", all, own))?);
    }
    let answers = all_words(players)?;
    let (began, ended) = answers.split_at(publishers as usize);
    let first = began.iter().map(|a| a[0]).fold(f64::MAX, f64::min);
    let last = ended.iter().map(|a| a[0]).fold(0.0, f64::max);
    let damaged: f64 = ended.iter().map(|a| a[1]).sum();
    Ok(format!("{} {all} {damaged}", last - first))
}

fn main() -> Result<(), Failure> {
    set_log_level(LogLevel::Error);
    let role: Vec<String> = std::env::args().skip(1).collect();
    if !role.is_empty() {
        return play(&role);
    }
    println!("iceoryx2 {}", version());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = Place::new(); // a new one each time: nothing is left of the last run
        let answer = match words.first() {
            Some(&"latency") if words.len() == 5 => latency(place.name(), &words[1..])?,
            Some(&"throughput") if words.len() == 4 => throughput(place.name(), &words[1..])?,
            _ => return Err("no such question".into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
