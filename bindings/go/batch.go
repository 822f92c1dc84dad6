// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <weir.h>
*/
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Messages are handed to C as they are.
var _ = [1]struct{}{}[unsafe.Sizeof(Message{})-C.sizeof_struct_weir_message]

func firstOf[T any](values []T) unsafe.Pointer {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Pointer(&values[0])
}

// fits says whether a column that may be left out has a value for each message.
func fits(column []uint64, count int) bool { return column == nil || len(column) >= count }

// PostCopies posts copies of messages that stand stride bytes from each other in data, as many as
// there is room for, and waits for the first; how many. Lengths and tags are of each, or nil.
func (c *Channel) PostCopies(data []byte, stride int, lengths, tags []uint64, options *PostOptions, timeout time.Duration) (int, error) {
	if stride < 1 {
		return 0, Error(C.EINVAL)
	}
	count := len(data) / stride
	if count == 0 {
		return 0, nil
	}
	if !fits(lengths, count) || !fits(tags, count) {
		return 0, Error(C.EINVAL)
	}
	raw, err := c.enter()
	if err != nil {
		return 0, err
	}
	done := weirChannelPostCopies((*C.struct_weir_channel)(raw), firstOf(data), C.size_t(stride),
		(*C.uint64_t)(firstOf(lengths)), (*C.uint64_t)(firstOf(tags)), C.size_t(count), options.raw(), nanoseconds(timeout))
	c.leave()
	runtime.KeepAlive(c)
	return check(done)
}

// ReadMany takes as many messages into the hand as wait, up to the length of the slice.
func (s *Subscription) ReadMany(messages []Message, timeout time.Duration) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	raw, err := s.enter()
	if err != nil {
		return 0, err
	}
	found := weirChannelReadMany((*C.struct_weir_subscription)(raw), C.size_t(len(messages)), nanoseconds(timeout),
		(*C.struct_weir_message)(firstOf(messages)))
	s.leave()
	runtime.KeepAlive(s)
	return check(found)
}

// ReadCopies does the same, and copies up to stride bytes of each message to data, where they stand
// stride bytes from each other.
func (s *Subscription) ReadCopies(messages []Message, data []byte, stride int, timeout time.Duration) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	if stride < 1 || len(data)/stride < len(messages) {
		return 0, Error(C.EINVAL)
	}
	raw, err := s.enter()
	if err != nil {
		return 0, err
	}
	found := weirChannelReadCopies((*C.struct_weir_subscription)(raw), C.size_t(stride), C.size_t(len(messages)),
		nanoseconds(timeout), (*C.struct_weir_message)(firstOf(messages)), firstOf(data))
	s.leave()
	runtime.KeepAlive(s)
	return check(found)
}

// ReadManyContext waits for the first message without a thread.
func (s *Subscription) ReadManyContext(ctx context.Context, messages []Message) (found int, err error) {
	err = s.await(ctx, s.fd, func() (err error) {
		found, err = s.ReadMany(messages, 0)
		return err
	})
	return found, err
}

// ReadCopiesContext waits for the first message without a thread.
func (s *Subscription) ReadCopiesContext(ctx context.Context, messages []Message, data []byte, stride int) (found int, err error) {
	err = s.await(ctx, s.fd, func() (err error) {
		found, err = s.ReadCopies(messages, data, stride, 0)
		return err
	})
	return found, err
}

// AckMany answers messages, up to the first that cannot be answered; how many.
func (s *Subscription) AckMany(messages []Message) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	raw, err := s.enter()
	if err != nil {
		return 0, err
	}
	done := weirChannelAckMany((*C.struct_weir_subscription)(raw), (*C.struct_weir_message)(firstOf(messages)), C.size_t(len(messages)))
	s.leave()
	runtime.KeepAlive(s)
	return check(done)
}

// Blocks are blocks of one size that are ours: Alloc, write, PostMany or Free, and again.
// One goroutine at a time may use it.
type Blocks struct {
	matrix     *Matrix
	size       int
	refs       []C.weir_ref
	data       []unsafe.Pointer
	lengths    []uint64
	first, end int // those between are not passed on yet
}

// NewBlocks makes room for them; it allocates none.
func (m *Matrix) NewBlocks(capacity int) *Blocks {
	return &Blocks{matrix: m, refs: make([]C.weir_ref, capacity), data: make([]unsafe.Pointer, capacity),
		lengths: make([]uint64, capacity)}
}

// Len is how many there are.
func (b *Blocks) Len() int { return b.end - b.first }

// Ref names one of them in every process.
func (b *Blocks) Ref(i int) BlockRef { return BlockRef(b.refs[b.first:b.end][i]) }

// Bytes is the memory of one, good until it is passed on.
func (b *Blocks) Bytes(i int) []byte {
	return unsafe.Slice((*byte)(b.data[b.first:b.end][i]), b.size)
}

// Alloc fills it, with as many as can be had; what is left from before must be passed on first.
func (b *Blocks) Alloc(size int, options *AllocOptions) (int, error) {
	if size < 0 || b.Len() != 0 {
		return 0, Error(C.EINVAL)
	}
	if len(b.refs) == 0 {
		return 0, nil
	}
	made, err := b.matrix.with(func(raw *C.struct_weir_matrix) C.int {
		return weirMatrixAllocMany(raw, C.size_t(size), C.size_t(len(b.refs)), options.raw(), &b.refs[0], &b.data[0])
	})
	if err != nil {
		return 0, err
	}
	b.first, b.end, b.size = 0, made, size
	for i := range b.lengths {
		b.lengths[i] = uint64(size)
	}
	return made, nil
}

// Free gives back what is left.
func (b *Blocks) Free() error {
	for b.Len() != 0 {
		done, err := b.matrix.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixFreeMany(raw, &b.refs[b.first], C.size_t(b.Len()))
		})
		if err != nil {
			return err
		}
		b.first += done
	}
	return nil
}

// PostMany hands over as many as there is room for, and waits for the first; how many. Lengths and
// tags are of each that is left, or nil for the whole blocks and the tag of the options.
func (c *Channel) PostMany(b *Blocks, lengths, tags []uint64, options *PostOptions, timeout time.Duration) (int, error) {
	if b.Len() == 0 {
		return 0, nil
	}
	if !fits(lengths, b.Len()) || !fits(tags, b.Len()) {
		return 0, Error(C.EINVAL)
	}
	if lengths == nil {
		lengths = b.lengths
	}
	raw, err := c.enter()
	if err != nil {
		return 0, err
	}
	done := weirChannelPostMany((*C.struct_weir_channel)(raw), &b.refs[b.first], (*C.uint64_t)(firstOf(lengths)),
		(*C.uint64_t)(firstOf(tags)), C.size_t(b.Len()), options.raw(), nanoseconds(timeout))
	c.leave()
	runtime.KeepAlive(c)
	posted, err := check(done)
	b.first += posted
	return posted, err
}
