// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Result};
use crate::{nanoseconds, sys, Block, ChannelHandle, ChannelInfo, ChannelOptions, Matrix};
use crate::{PostOptions, Rejected, SubscriptionHandle};
use std::ops::Deref;
use std::os::raw::c_char;
use std::time::Duration;
use std::{fmt, ptr, slice};

/// A ring of messages in a matrix.
#[derive(Debug)]
pub struct Channel<'m> {
    handle: ChannelHandle,
    matrix: &'m Matrix,
}

type Maker = unsafe extern "C" fn(
    *mut sys::weir_matrix,
    *const c_char,
    *const sys::weir_channel_options,
    *mut *mut sys::weir_channel,
) -> i32;

impl<'m> Channel<'m> {
    fn make(call: Maker, matrix: &'m Matrix, name: &str, options: &ChannelOptions) -> Result<Self> {
        let (name, mut raw) = (c_string(name)?, ptr::null_mut());
        // SAFETY: handle, string and pointers are valid.
        check(unsafe { call(matrix.as_raw(), name.as_ptr(), &options.0, &mut raw) })?;
        Ok(Self { handle: ChannelHandle::own(raw), matrix })
    }

    /// Makes a channel.
    pub fn create(matrix: &'m Matrix, name: &str, options: &ChannelOptions) -> Result<Self> {
        Self::make(sys::weir_channel_create, matrix, name, options)
    }

    /// Attaches to one that exists.
    pub fn attach(matrix: &'m Matrix, name: &str, options: &ChannelOptions) -> Result<Self> {
        Self::make(sys::weir_channel_attach, matrix, name, options)
    }

    /// Attaches, or makes it if there is none.
    pub fn open(matrix: &'m Matrix, name: &str, options: &ChannelOptions) -> Result<Self> {
        Self::make(sys::weir_channel_open, matrix, name, options)
    }

    /// The handle, for functions of `sys`; it stays this object's.
    pub fn as_raw(&self) -> *mut sys::weir_channel {
        self.handle.raw()
    }

    /// Hands a block over; if that fails, it comes back. A timeout of `None` is for ever.
    pub fn post<'b>(
        &self,
        block: Block<'b>,
        length: usize,
        options: &PostOptions,
        timeout: Option<Duration>,
    ) -> std::result::Result<(), Rejected<Block<'b>>> {
        let (raw, wait) = (self.as_raw(), nanoseconds(timeout));
        // SAFETY: handle and options are valid.
        block
            .hand_over(|block| {
                check(unsafe { sys::weir_channel_post(raw, block, length, &options.0, wait) })
            })
            .map(drop)
    }

    /// Becomes a reader.
    pub fn subscribe(&self) -> Result<Subscription<'_>> {
        let mut raw = ptr::null_mut();
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_channel_subscribe(self.as_raw(), &mut raw) })?;
        Ok(Subscription { handle: SubscriptionHandle::own(raw), matrix: self.matrix })
    }

    /// What is in it.
    pub fn inquire(&self) -> Result<ChannelInfo> {
        let mut info = ChannelInfo::default();
        // SAFETY: handle and pointer are valid, and `size` is set.
        check(unsafe { sys::weir_channel_inquire(self.as_raw(), &mut info) })?;
        Ok(info)
    }

    /// Ends it for all.
    pub fn retire(&self) -> Result<()> {
        // SAFETY: the handle is valid.
        check(unsafe { sys::weir_channel_retire(self.as_raw()) }).map(drop)
    }
}

/// One reader of a channel.
#[derive(Debug)]
pub struct Subscription<'c> {
    handle: SubscriptionHandle,
    matrix: &'c Matrix,
}

impl Subscription<'_> {
    /// The next message. A timeout of `None` is for ever.
    pub fn read(&self, timeout: Option<Duration>) -> Result<Message<'_>> {
        let mut record = sys::weir_message::default();
        // SAFETY: handle and pointer are valid.
        check(unsafe {
            sys::weir_channel_read(self.handle.raw(), nanoseconds(timeout), &mut record)
        })?;
        Ok(Message { subscription: self, record, answered: false })
    }

    /// Message after message, until the channel is retired.
    pub fn iter(&self) -> impl Iterator<Item = Result<Message<'_>>> {
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let message = self.read(None);
            ended = message.is_err();
            match message {
                Err(error) if error.code() == sys::WEIR_E_RETIRED as i32 => None,
                other => Some(other),
            }
        })
    }
}

type Answer = unsafe extern "C" fn(*mut sys::weir_subscription, *const sys::weir_message) -> i32;

/// A message in the hand. Dropped without an answer, it goes to another reader.
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

    /// Its bytes; an error if the segment contradicts itself.
    pub fn bytes(&self) -> Result<&[u8]> {
        let (data, size) = self.subscription.matrix.data(self.record.block)?;
        let length = usize::try_from(self.record.length).unwrap_or(usize::MAX).min(size);
        // SAFETY: the block is in our hand until the answer, and has at least `length` bytes.
        Ok(unsafe { slice::from_raw_parts(data, length) })
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
