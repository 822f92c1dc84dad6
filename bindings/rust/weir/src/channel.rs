// SPDX-License-Identifier: MIT OR Apache-2.0
use crate::error::{c_string, check, Rejected, Result};
use crate::{nanoseconds, sys, walk, Block, ChannelHandle, ChannelInfo, ChannelOptions, Matrix};
use crate::{PostOptions, SubscriberInfo, Subscription};
use std::ops::ControlFlow;
use std::os::raw::c_char;
use std::time::Duration;
use std::{mem, ptr};

/// A ring of messages in a matrix. A clone is another user of the same handle.
#[derive(Clone, Debug)]
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

    /// Hands a block of the channel's matrix over; if that fails, it comes back. A timeout of `None` is for ever.
    pub fn post<'b, T: ?Sized>(
        &self,
        block: Block<'b, T>,
        length: usize,
        options: &PostOptions,
        timeout: Option<Duration>,
    ) -> std::result::Result<(), Rejected<Block<'b, T>>> {
        let (raw, wait) = (self.as_raw(), nanoseconds(timeout));
        // SAFETY: handle and options are valid.
        block
            .hand_over_in(self.matrix, |block| {
                check(unsafe { sys::weir_channel_post(raw, block, length, &options.0, wait) })
            })
            .map(drop)
    }

    /// Hands whole blocks over, one after the other; how many, which are gone from `blocks` then.
    /// Only for the first one room is waited for. `EINVAL` if one is of another matrix.
    pub fn post_many<T: ?Sized>(
        &self,
        blocks: &mut Vec<Block<'_, T>>,
        options: &PostOptions,
        timeout: Option<Duration>,
    ) -> Result<usize> {
        blocks.iter().try_for_each(|block| block.may_go(self.matrix))?;
        let refs: Vec<_> = blocks.iter().map(Block::block).collect();
        let lengths: Vec<_> =
            blocks.iter().map(|block| mem::size_of_val(&**block) as u64).collect();
        // SAFETY: the handle is valid, and both arrays have as many elements as there are blocks.
        let done = check(unsafe {
            sys::weir_channel_post_many(
                self.as_raw(),
                refs.as_ptr(),
                lengths.as_ptr(),
                ptr::null(),
                refs.len(),
                &options.0,
                nanoseconds(timeout),
            )
        })?;
        blocks.drain(..done).for_each(mem::forget); // they are the channel's
        Ok(done)
    }

    /// Becomes a reader.
    pub fn subscribe(&self) -> Result<Subscription<'_>> {
        let mut raw = ptr::null_mut();
        // SAFETY: handle and pointer are valid.
        check(unsafe { sys::weir_channel_subscribe(self.as_raw(), &mut raw) })?;
        Ok(Subscription::own(raw, self.matrix))
    }

    /// Shows each subscriber of a broadcast channel.
    pub fn subscribers(&self, visit: impl FnMut(&SubscriberInfo) -> ControlFlow<()>) -> Result<()> {
        // SAFETY: handle and callback are valid during the call.
        walk::records(visit, |call, userdata| unsafe {
            sys::weir_channel_subscribers(self.as_raw(), Some(call), userdata)
        })
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
