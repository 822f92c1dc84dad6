// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Channel is a ring of messages in a matrix. Any goroutine may use it.
type Channel struct {
	handle
	matrix *Matrix
}

type channelMaker func(*C.struct_weir_matrix, *C.char, *C.struct_weir_channel_options) (C.int, *C.struct_weir_channel)

func (m *Matrix) makeChannel(call channelMaker, name string, options *ChannelOptions) (*Channel, error) {
	var made *C.struct_weir_channel
	err := m.named(name, func(raw *C.struct_weir_matrix, text *C.char) (code C.int) {
		code, made = call(raw, text, options.raw())
		return code
	})
	if err != nil {
		return nil, err
	}
	c := &Channel{newHandle(unsafe.Pointer(made), func(raw unsafe.Pointer) {
		weirChannelUnref((*C.struct_weir_channel)(raw))
	}), m}
	runtime.SetFinalizer(c, (*Channel).Close)
	return c, nil
}

// CreateChannel makes a channel. Nil means all defaults.
func (m *Matrix) CreateChannel(name string, options *ChannelOptions) (*Channel, error) {
	return m.makeChannel(weirChannelCreate, name, options)
}

// AttachChannel attaches to one that exists.
func (m *Matrix) AttachChannel(name string, options *ChannelOptions) (*Channel, error) {
	return m.makeChannel(weirChannelAttach, name, options)
}

// OpenChannel attaches, or makes it if there is none.
func (m *Matrix) OpenChannel(name string, options *ChannelOptions) (*Channel, error) {
	return m.makeChannel(weirChannelOpen, name, options)
}

func (c *Channel) with(call func(*C.struct_weir_channel) C.int) error {
	raw, err := c.enter()
	if err != nil {
		return err
	}
	code := call((*C.struct_weir_channel)(raw))
	c.leave()
	runtime.KeepAlive(c)
	return fails(code)
}

// Post hands a block over; a failure leaves it with its owner. A negative timeout is for ever.
func (c *Channel) Post(block *Block, length int, options *PostOptions, timeout time.Duration) error {
	if block.data == nil {
		return errPassedOn
	}
	if length < 0 {
		return Error(C.EINVAL)
	}
	err := c.with(func(raw *C.struct_weir_channel) C.int {
		return weirChannelPost(raw, C.weir_ref(block.ref), C.size_t(length), options.raw(), nanoseconds(timeout))
	})
	if err == nil {
		block.data = nil
	}
	return err
}

// Inquire says what is in the channel.
func (c *Channel) Inquire() (ChannelInfo, error) {
	info := C.struct_weir_channel_info{size: C.sizeof_struct_weir_channel_info}
	err := c.with(func(raw *C.struct_weir_channel) C.int { return weirChannelInquire(raw, &info) })
	return channelInfoOf(&info), err
}

// Retire ends the channel for all.
func (c *Channel) Retire() error {
	return c.with(func(raw *C.struct_weir_channel) C.int { return weirChannelRetire(raw) })
}

// Subscription is one reader of a channel.
type Subscription struct {
	handle
	channel *Channel
}

// Subscribe becomes a reader.
func (c *Channel) Subscribe() (*Subscription, error) {
	var made *C.struct_weir_subscription
	err := c.with(func(raw *C.struct_weir_channel) (code C.int) {
		code, made = weirChannelSubscribe(raw)
		return code
	})
	if err != nil {
		return nil, err
	}
	s := &Subscription{newHandle(unsafe.Pointer(made), func(raw unsafe.Pointer) {
		weirSubscriptionClose((*C.struct_weir_subscription)(raw))
	}), c}
	runtime.SetFinalizer(s, (*Subscription).Close)
	return s, nil
}

func (s *Subscription) with(call func(*C.struct_weir_subscription) C.int) error {
	raw, err := s.enter()
	if err != nil {
		return err
	}
	code := call((*C.struct_weir_subscription)(raw))
	s.leave()
	runtime.KeepAlive(s)
	return fails(code)
}

// Read takes the next message into the hand. A negative timeout is for ever.
func (s *Subscription) Read(timeout time.Duration) (*Delivery, error) {
	var message C.struct_weir_message
	err := s.with(func(raw *C.struct_weir_subscription) C.int {
		return weirChannelRead(raw, nanoseconds(timeout), &message)
	})
	if err != nil {
		return nil, err
	}
	return &Delivery{messageOf(&message), s, message}, nil
}

// fd is readable when there is something to read; reading until EAGAIN arms it again.
func (s *Subscription) fd() (fd int, err error) {
	raw, err := s.enter()
	if err != nil {
		return -1, err
	}
	code := weirChannelFd((*C.struct_weir_subscription)(raw))
	s.leave()
	runtime.KeepAlive(s)
	return check(code)
}

// ReadContext waits until a message comes, the context ends or the subscription is closed. It takes
// no thread meanwhile.
func (s *Subscription) ReadContext(ctx context.Context) (message *Delivery, err error) {
	err = s.await(ctx, s.fd, func() (err error) {
		message, err = s.Read(0)
		return err
	})
	return message, err
}

// Delivery is a message in the hand. Answer it: Ack, Nack or Take.
type Delivery struct {
	Message
	subscription *Subscription
	raw          C.struct_weir_message
}

// Bytes is the message itself, good until the answer.
func (d *Delivery) Bytes() ([]byte, error) {
	bytes, err := d.subscription.channel.matrix.Bytes(BlockRef(d.Block))
	if err == nil && d.Length <= uint64(len(bytes)) {
		bytes = bytes[:d.Length]
	}
	return bytes, err
}

func (d *Delivery) answer(call func(*C.struct_weir_subscription, *C.struct_weir_message) C.int) error {
	return d.subscription.with(func(raw *C.struct_weir_subscription) C.int { return call(raw, &d.raw) })
}

// Ack says that it is done; its block is freed.
func (d *Delivery) Ack() error { return d.answer(weirChannelAck) }

// Nack gives it to another reader.
func (d *Delivery) Nack() error { return d.answer(weirChannelNack) }

// Take says that it is done; its block is ours.
func (d *Delivery) Take() (*Block, error) {
	if err := d.answer(weirChannelTake); err != nil {
		return nil, err
	}
	return d.subscription.channel.matrix.adopt(BlockRef(d.Block))
}
