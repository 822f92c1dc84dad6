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

// Close ends it; the second time nothing happens. A Post that waits in another goroutine ends too.
func (c *Channel) Close() error {
	if c == nil {
		return errNil
	}
	return c.close()
}

func (c *Channel) enter() (*C.struct_weir_channel, error) {
	if c == nil {
		return nil, errNil
	}
	raw, err := c.handle.enter()
	return (*C.struct_weir_channel)(raw), err
}

func (c *Channel) with(call func(*C.struct_weir_channel) C.int) (int, error) {
	raw, err := c.enter()
	if err != nil {
		return 0, err
	}
	code := call(raw)
	c.leave()
	runtime.KeepAlive(c)
	return check(code)
}

// Post hands a block over; a failure leaves it with its owner. A negative timeout is for ever.
func (c *Channel) Post(block *Block, length int, options *PostOptions, timeout time.Duration) error {
	return c.post(context.Background(), timeout, block, length, options)
}

// PostContext waits until there is room or the context ends.
func (c *Channel) PostContext(ctx context.Context, block *Block, length int, options *PostOptions) error {
	return c.post(ctx, -1, block, length, options)
}

func (c *Channel) post(ctx context.Context, timeout time.Duration, block *Block, length int, options *PostOptions) error {
	if ctx == nil {
		return errNil
	}
	if c == nil {
		return errNil
	}
	if length < 0 {
		return Error(C.EINVAL)
	}
	return block.passOnIn(c.matrix, func(ref C.weir_ref) error {
		return inSlices(ctx, timeout, func(timeout time.Duration) error {
			_, err := c.with(func(raw *C.struct_weir_channel) C.int {
				return weirChannelPost(raw, ref, C.size_t(length), options.raw(), nanoseconds(timeout))
			})
			return err
		})
	})
}

// Inquire says what is in the channel.
func (c *Channel) Inquire() (ChannelInfo, error) {
	info := C.struct_weir_channel_info{size: C.sizeof_struct_weir_channel_info}
	_, err := c.with(func(raw *C.struct_weir_channel) C.int { return weirChannelInquire(raw, &info) })
	return channelInfoOf(&info), err
}

// Retire ends the channel for all.
func (c *Channel) Retire() error {
	_, err := c.with(func(raw *C.struct_weir_channel) C.int { return weirChannelRetire(raw) })
	return err
}

// Subscription is one reader of a channel.
type Subscription struct {
	handle
	channel *Channel
}

// Subscribe becomes a reader.
func (c *Channel) Subscribe() (*Subscription, error) {
	var made *C.struct_weir_subscription
	_, err := c.with(func(raw *C.struct_weir_channel) (code C.int) {
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

// Close ends it; the second time nothing happens. Who waits in another goroutine is woken. Messages
// in the hand go to others: their bytes are over, as with Nack.
func (s *Subscription) Close() error {
	if s == nil {
		return errNil
	}
	return s.close()
}

func (s *Subscription) enter() (*C.struct_weir_subscription, error) {
	if s == nil {
		return nil, errNil
	}
	raw, err := s.handle.enter()
	return (*C.struct_weir_subscription)(raw), err
}

func (s *Subscription) with(call func(*C.struct_weir_subscription) C.int) (int, error) {
	raw, err := s.enter()
	if err != nil {
		return 0, err
	}
	code := call(raw)
	s.leave()
	runtime.KeepAlive(s)
	return check(code)
}

// Read takes the next message into the hand. A negative timeout is for ever.
func (s *Subscription) Read(timeout time.Duration) (*Delivery, error) {
	d := &Delivery{subscription: s}
	err := waiting(timeout, func(timeout time.Duration) error {
		_, err := s.with(func(raw *C.struct_weir_subscription) C.int {
			code, _ := weirChannelRead(raw, nanoseconds(timeout), &d.raw)
			return code // Bytes looks where they are, when they are wanted
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	d.Message = messageOf(&d.raw)
	return d, nil
}

// fd is readable when there is something to read; reading until EAGAIN arms it again.
func (s *Subscription) fd() (int, error) {
	return s.with(func(raw *C.struct_weir_subscription) C.int { return weirChannelFd(raw) })
}

// ReadContext waits until a message comes, the context ends or the subscription is closed. It takes
// no thread meanwhile.
func (s *Subscription) ReadContext(ctx context.Context) (message *Delivery, err error) {
	if s == nil {
		return nil, errNil
	}
	err = s.await(ctx, s.fd, func() (err error) {
		message, err = s.Read(0)
		return err
	})
	return message, err
}

// Delivery is a message in the hand. Answer it: Ack, Nack or Take. It must not be copied.
type Delivery struct {
	Message
	hold
	subscription *Subscription
	raw          C.struct_weir_message
}

// Bytes is the message itself, good until the answer. Until then the matrix cannot be closed. The
// slice must not be used after it, as with Block.Bytes.
func (d *Delivery) Bytes() ([]byte, error) {
	if d == nil || d.subscription == nil {
		return nil, errNil
	}
	if d.subscription.closed() {
		return nil, ErrClosed
	}
	matrix := d.subscription.channel.matrix
	bytes, err := matrix.bytes(BlockRef(d.raw.block))
	if err != nil {
		return nil, err
	}
	switch err := d.show(matrix); err {
	case nil:
	case errPassedOn: // answered
		return nil, ErrStale
	default:
		return nil, err
	}
	if length := uint64(d.raw.length); length <= uint64(len(bytes)) {
		bytes = bytes[:length]
	}
	return bytes, nil
}

// answer ends the slice too, if the message is no longer ours.
func (d *Delivery) answer(call func(*C.struct_weir_subscription, *C.struct_weir_message) C.int) error {
	if d == nil || d.subscription == nil {
		return errNil
	}
	before, ours := d.claim()
	if !ours {
		return ErrStale
	}
	_, err := d.subscription.with(func(raw *C.struct_weir_subscription) C.int { return call(raw, &d.raw) })
	d.settle(d.subscription.channel.matrix, before, over(err))
	return err
}

// Ack says that it is done; its block is freed.
func (d *Delivery) Ack() error { return d.answer(weirChannelAck) }

// Nack gives it to another reader.
func (d *Delivery) Nack() error { return d.answer(weirChannelNack) }

// Take says that it is done; its block is ours.
func (d *Delivery) Take() (*Block, error) {
	if d == nil || d.subscription == nil {
		return nil, errNil
	}
	matrix := d.subscription.channel.matrix
	raw, err := matrix.enter()
	if err != nil {
		return nil, err
	}
	defer matrix.leave()
	if err := d.answer(weirChannelTake); err != nil {
		return nil, err
	}
	return matrix.ours(raw, BlockRef(d.raw.block))
}
