// SPDX-License-Identifier: MIT OR Apache-2.0
//! The worker in Rust. What all workers do is told in cross.py. usage: worker SEGMENT LOG
use std::time::Duration;
use weir::*;

const HOLD: u64 = 1;
const NOW: Option<Duration> = Some(Duration::ZERO);

#[repr(C)]
#[derive(Clone, Copy)]
struct Job {
    number: u64,
    slot: u64,
    lsn: u64,
    hops: u64,
}

#[repr(C)]
struct Account {
    number: u64,
    value: u64,
}

// SAFETY: numbers without a gap.
unsafe impl Plain for Job {}
// SAFETY: as above.
unsafe impl Plain for Account {}

fn sum_of_record(reader: &mut LogReader, lsn: u64) -> Result<u64> {
    reader.seek(lsn)?;
    let record = reader.next_record()?.expect("the record is durable");
    Ok(record.data.iter().map(|byte| u64::from(*byte)).sum())
}

fn work(accounts: &Pool<Account>, job: &Job, sum: u64) -> Result<()> {
    // SAFETY: who has the message may work on the account; it is its owner's, and stays there.
    let mut account = unsafe { accounts.adopt(job.slot)? };
    assert_eq!(account.number, job.number);
    account.value = account.value.wrapping_mul(31).wrapping_add(sum);
    account.into_raw();
    Ok(())
}

fn run(segment: &str, log: &str) -> Result<()> {
    let matrix = Matrix::attach(segment, &MatrixOptions::new())?;
    let jobs = Channel::attach(&matrix, "jobs", &ChannelOptions::new())?;
    let results = Channel::attach(&matrix, "results", &ChannelOptions::new())?;
    let accounts = Pool::<Account>::attach(&matrix, "accounts", &PoolOptions::new())?;
    let mut reader = LogReader::open(log, 0, ReaderFlags::default())?;
    let inbox = jobs.subscribe()?;
    println!("ready");
    for message in &inbox {
        let message = message?;
        let mut job = *message.value::<Job>()?;
        let _scratch = accounts.acquire(Account { number: 0, value: 0 }, NOW)?;
        let mut block = matrix.alloc_value(job, &AllocOptions::new())?;
        if message.record().tag == HOLD && message.record().redeliveries == 0 {
            println!("holding");
            loop {
                std::thread::park();
            }
        }
        work(&accounts, &job, sum_of_record(&mut reader, job.lsn)?)?;
        job.hops -= 1;
        *block = job;
        let next = if job.hops > 0 { &jobs } else { &results };
        next.post(block, std::mem::size_of::<Job>(), &PostOptions::new(), None)?;
        message.ack()?;
    }
    println!("done");
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    run(&arguments[1], &arguments[2])
}
