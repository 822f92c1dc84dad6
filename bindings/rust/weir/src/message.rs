// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{check, Error, Result};
use crate::{nanoseconds, sys, Block, Matrix, Plain, SubscriptionHandle, MOST_AT_ONCE};
use std::ops::Deref;
use std::os::unix::io::{AsRawFd, RawFd};
use std::time::Duration;
use std::{fmt, mem, ptr, slice};

/// One reader of a channel.
#[derive(Debug)]
pub struct Subscription<'c> {
    handle: SubscriptionHandle,
    matrix: &'c Matrix,
}

impl<'c> Subscription<'c> {
    pub(crate) fn own(raw: *mut sys::weir_subscription, matrix: &'c Matrix) -> Self {
        Self { handle: SubscriptionHandle::own(raw), matrix }
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_subscription {
        self.handle.raw()
    }

    /// The next message. A timeout of `None` is for ever.
    pub fn read(&self, timeout: Option<Duration>) -> Result<Message<'_>> {
        let mut record = sys::weir_message::default();
        let (raw, wait) = (self.handle.raw(), nanoseconds(timeout));
        // SAFETY: handle and pointer are valid. Where the bytes are is looked up when they are wanted.
        check(unsafe { sys::weir_channel_read(raw, wait, &mut record, ptr::null_mut()) })?;
        Ok(Message { subscription: self, record, answered: false })
    }

    /// As many messages as wait, up to `count` and to 65,536. Only the first is waited for.
    pub fn read_many(&self, count: usize, timeout: Option<Duration>) -> Result<Vec<Message<'_>>> {
        let count = count.min(MOST_AT_ONCE);
        let mut records = vec![sys::weir_message::default(); count];
        let (raw, wait) = (self.handle.raw(), nanoseconds(timeout));
        // SAFETY: the handle is valid, and the array has `count` places.
        let found = check(unsafe {
            sys::weir_channel_read_many(raw, count, wait, records.as_mut_ptr(), ptr::null_mut())
        })?;
        records.truncate(found);
        let message = |record| Message { subscription: self, record, answered: false };
        Ok(records.into_iter().map(message).collect())
    }

    /// Acknowledges messages of this subscription; `EINVAL`, and nothing is done, if one of them is
    /// another's. After an error the rest goes to other readers.
    pub fn ack_many(&self, mut messages: Vec<Message<'_>>) -> Result<()> {
        if messages.iter().any(|message| message.subscription.as_raw() != self.as_raw()) {
            return Err(Error::new(Error::INVALID)); // its record may be that of one in our hand, too
        }
        let records: Vec<_> = messages.iter().map(|message| message.record).collect();
        let mut done = 0;
        while done < records.len() {
            let rest = &records[done..];
            // SAFETY: the handle is valid, and the array has so many elements.
            done += check(unsafe {
                sys::weir_channel_ack_many(self.handle.raw(), rest.as_ptr(), rest.len())
            })?;
            messages[..done].iter_mut().for_each(|message| message.answered = true);
        }
        Ok(())
    }

    /// Message after message, until the channel is retired.
    pub fn iter(&self) -> Messages<'_> {
        Messages { subscription: self, ended: false }
    }
}

impl AsRawFd for Subscription<'_> {
    /// Readable when there is something to read; negative if there can be no descriptor. Read with
    /// a timeout of 0 until that says `EAGAIN`, which arms it again.
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the handle is valid.
        unsafe { sys::weir_channel_fd(self.handle.raw()) }
    }
}

/// Waits for message after message, until the channel is retired or something fails.
///
/// ```
/// use weir::*;
/// # fn main() -> Result<()> {
/// let matrix = Matrix::create(None, &MatrixOptions::new())?;
/// let numbers = Channel::create(&matrix, "numbers", &ChannelOptions::new())?;
/// let inbox = numbers.subscribe()?;
/// let block = matrix.alloc_value(7u32, &AllocOptions::new())?;
/// numbers.post(block, 4, &PostOptions::new(), None)?;
/// for message in &inbox {
///     let message = message?;
///     assert_eq!(*message.value::<u32>()?, 7);
///     message.ack()?;
///     numbers.retire()?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Messages<'s> {
    subscription: &'s Subscription<'s>,
    ended: bool,
}

impl<'s> Iterator for Messages<'s> {
    type Item = Result<Message<'s>>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let message = self.subscription.read(None);
        self.ended = message.is_err();
        match message {
            Err(error) if error.is(sys::WEIR_E_RETIRED) => None,
            other => Some(other),
        }
    }
}

impl<'s> IntoIterator for &'s Subscription<'_> {
    type Item = Result<Message<'s>>;
    type IntoIter = Messages<'s>;
    fn into_iter(self) -> Messages<'s> {
        self.iter()
    }
}

type Answer = unsafe extern "C" fn(*mut sys::weir_subscription, *const sys::weir_message) -> i32;

/// A message in the hand. Dropped without an answer, it goes to another reader.
///
/// What it shows ends with its answer:
///
/// ```compile_fail,E0505
/// use weir::*;
/// fn length(inbox: &Subscription<'_>) -> Result<usize> {
///     let message = inbox.read(None)?;
///     let bytes = message.bytes()?;
///     message.ack()?;
///     Ok(bytes.len())
/// }
/// ```
///
/// and it cannot outlive its subscription:
///
/// ```compile_fail,E0515
/// use weir::*;
/// fn first<'m>(channel: &Channel<'m>) -> Result<Message<'m>> {
///     let inbox = channel.subscribe()?;
///     inbox.read(None)
/// }
/// ```
pub struct Message<'s> {
    subscription: &'s Subscription<'s>,
    record: sys::weir_message,
    answered: bool,
}

impl<'s> Message<'s> {
    /// What the poster said of it.
    pub fn record(&self) -> &sys::weir_message {
        &self.record
    }

    fn answer(&mut self, call: Answer) -> Result<()> {
        self.answered = true;
        // SAFETY: handle and message are valid.
        check(unsafe { call(self.subscription.handle.raw(), &self.record) }).map(drop)
    }

    /// Its bytes; an error if somebody took and freed its block by the ref meanwhile, or if the segment
    /// contradicts itself. As a slice (`Deref`) it is empty then.
    pub fn bytes(&self) -> Result<&[u8]> {
        let (data, size) = self.subscription.matrix.data(self.record.block)?;
        let length = usize::try_from(self.record.length).unwrap_or(usize::MAX).min(size);
        // SAFETY: the block is in our hand until the answer, and has at least `length` bytes.
        Ok(unsafe { slice::from_raw_parts(data, length) })
    }

    /// Its bytes as a value; `EINVAL` if it is shorter, or not where such a value may lie.
    pub fn value<T: Plain>(&self) -> Result<&T> {
        let bytes = self.bytes()?;
        let data = bytes.as_ptr().cast::<T>();
        if bytes.len() < mem::size_of::<T>() || data.align_offset(mem::align_of::<T>()) != 0 {
            return Err(Error::new(Error::INVALID));
        }
        // SAFETY: long enough, aligned, and any bytes are a `T`.
        Ok(unsafe { &*data })
    }

    /// It is done; its block is freed.
    pub fn ack(mut self) -> Result<()> {
        self.answer(sys::weir_channel_ack)
    }

    /// Somebody else may have it.
    pub fn nack(mut self) -> Result<()> {
        self.answer(sys::weir_channel_nack)
    }

    /// It is done; its block is ours.
    pub fn take(mut self) -> Result<Block<'s>> {
        self.answer(sys::weir_channel_take)?;
        self.subscription.matrix.adopt(self.record.block)
    }
}

impl Deref for Message<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes().unwrap_or(&[])
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.answer(sys::weir_channel_nack); // if that fails it is delivered after our end
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Message({:#x}, {} bytes)", self.record.block, self.record.length)
    }
}
