// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <weir.h>
*/
import "C"

import (
	"context"
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
func (c *Channel) PostCopies(data []byte, stride int, lengths, tags []uint64, options *PostOptions, timeout time.Duration) (done int, err error) {
	if c == nil {
		return 0, errNil
	}
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
	err = waiting(timeout, func(timeout time.Duration) (err error) {
		done, err = c.with(func(raw *C.struct_weir_channel) C.int {
			return weirChannelPostCopies(raw, firstOf(data), C.size_t(stride), (*C.uint64_t)(firstOf(lengths)),
				(*C.uint64_t)(firstOf(tags)), C.size_t(count), options.raw(), nanoseconds(timeout))
		})
		return err
	})
	return done, err
}

// ReadMany takes as many messages into the hand as wait, up to the length of the slice.
func (s *Subscription) ReadMany(messages []Message, timeout time.Duration) (found int, err error) {
	if s == nil {
		return 0, errNil
	}
	if len(messages) == 0 {
		return 0, nil
	}
	err = waiting(timeout, func(timeout time.Duration) (err error) {
		found, err = s.with(func(raw *C.struct_weir_subscription) C.int {
			return weirChannelReadMany(raw, C.size_t(len(messages)), nanoseconds(timeout),
				(*C.struct_weir_message)(firstOf(messages)), nil)
		})
		return err
	})
	return found, err
}

// ReadCopies does the same, and copies up to stride bytes of each message to data, where they stand
// stride bytes from each other.
func (s *Subscription) ReadCopies(messages []Message, data []byte, stride int, timeout time.Duration) (found int, err error) {
	if s == nil {
		return 0, errNil
	}
	if len(messages) == 0 {
		return 0, nil
	}
	if stride < 1 || len(data)/stride < len(messages) {
		return 0, Error(C.EINVAL)
	}
	err = waiting(timeout, func(timeout time.Duration) (err error) {
		found, err = s.with(func(raw *C.struct_weir_subscription) C.int {
			return weirChannelReadCopies(raw, C.size_t(stride), C.size_t(len(messages)), nanoseconds(timeout),
				(*C.struct_weir_message)(firstOf(messages)), firstOf(data))
		})
		return err
	})
	return found, err
}

// ReadManyContext waits for the first message without a thread.
func (s *Subscription) ReadManyContext(ctx context.Context, messages []Message) (found int, err error) {
	if s == nil {
		return 0, errNil
	}
	err = s.await(ctx, s.fd, func() (err error) {
		found, err = s.ReadMany(messages, 0)
		return err
	})
	return found, err
}

// ReadCopiesContext waits for the first message without a thread.
func (s *Subscription) ReadCopiesContext(ctx context.Context, messages []Message, data []byte, stride int) (found int, err error) {
	if s == nil {
		return 0, errNil
	}
	err = s.await(ctx, s.fd, func() (err error) {
		found, err = s.ReadCopies(messages, data, stride, 0)
		return err
	})
	return found, err
}

// AckMany answers messages, up to the first that cannot be answered; how many.
func (s *Subscription) AckMany(messages []Message) (int, error) {
	if s == nil {
		return 0, errNil
	}
	if len(messages) == 0 {
		return 0, nil
	}
	return s.with(func(raw *C.struct_weir_subscription) C.int {
		return weirChannelAckMany(raw, (*C.struct_weir_message)(firstOf(messages)), C.size_t(len(messages)))
	})
}

// Blocks are blocks of one size that are ours: Alloc, write, PostMany or Free, and again.
// One goroutine at a time may use it.
type Blocks struct {
	matrix     *Matrix
	size       int
	refs       []C.weir_ref
	data       []unsafe.Pointer
	lengths    []uint64
	first, end int  // those between are not passed on yet
	shown      bool // and slices of some were given out
}

// NewBlocks makes room for them; it allocates none.
func (m *Matrix) NewBlocks(capacity int) *Blocks {
	return &Blocks{matrix: m, refs: make([]C.weir_ref, capacity), data: make([]unsafe.Pointer, capacity),
		lengths: make([]uint64, capacity)}
}

// Len is how many there are.
func (b *Blocks) Len() int {
	if b == nil {
		return 0
	}
	return b.end - b.first
}

// Ref names one of them in every process.
func (b *Blocks) Ref(i int) BlockRef { return BlockRef(b.refs[b.first:b.end][i]) }

// Bytes is the memory of one, good until it is passed on; nil if the matrix is closed, which it
// cannot be from now on until all of them are passed on or freed. See Block.Bytes.
func (b *Blocks) Bytes(i int) []byte {
	data := b.data[b.first:b.end][i]
	if !b.shown && !b.matrix.show() {
		return nil
	}
	b.shown = true
	return unsafe.Slice((*byte)(data), b.size)
}

// passedOn says that the first ones are no longer ours.
func (b *Blocks) passedOn(count int) {
	b.first += count
	if b.first == b.end && b.shown {
		b.shown = false
		b.matrix.hide()
	}
}

// Alloc fills it, with as many as can be had; what is left from before must be passed on first.
// With TimeoutNs in the options it waits for the first one.
func (b *Blocks) Alloc(size int, options *AllocOptions) (made int, err error) {
	if b == nil || b.matrix == nil {
		return 0, errNil
	}
	if size < 0 || b.Len() != 0 {
		return 0, Error(C.EINVAL)
	}
	if len(b.refs) == 0 {
		return 0, nil
	}
	given := AllocOptions{}
	if options != nil {
		given = *options
	}
	err = waiting(time.Duration(given.TimeoutNs), func(timeout time.Duration) (err error) {
		given.TimeoutNs = int64(timeout)
		made, err = b.matrix.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixAllocMany(raw, C.size_t(size), C.size_t(len(b.refs)), given.raw(), &b.refs[0], &b.data[0])
		})
		return err
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

// Free gives back what is left. What was given back already, or is of a retired matrix, is gone all
// the same; the first error is returned.
func (b *Blocks) Free() (first error) {
	if b == nil {
		return errNil
	}
	for b.Len() != 0 {
		done, err := b.matrix.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixFreeMany(raw, &b.refs[b.first], C.size_t(b.Len()))
		})
		if err != nil && first == nil {
			first = err
		}
		if !over(err) {
			return first
		}
		if err != nil {
			done = 1
		}
		b.passedOn(done)
	}
	return first
}

// PostMany hands over as many as there is room for, and waits for the first; how many. Lengths and
// tags are of each that is left, or nil for the whole blocks and the tag of the options.
func (c *Channel) PostMany(b *Blocks, lengths, tags []uint64, options *PostOptions, timeout time.Duration) (posted int, err error) {
	if c == nil || b == nil {
		return 0, errNil
	}
	if b.Len() == 0 {
		return 0, nil
	}
	if b.matrix != c.matrix {
		return 0, errForeign
	}
	if !fits(lengths, b.Len()) || !fits(tags, b.Len()) {
		return 0, Error(C.EINVAL)
	}
	if lengths == nil {
		lengths = b.lengths
	}
	err = waiting(timeout, func(timeout time.Duration) (err error) {
		posted, err = c.with(func(raw *C.struct_weir_channel) C.int {
			return weirChannelPostMany(raw, &b.refs[b.first], (*C.uint64_t)(firstOf(lengths)),
				(*C.uint64_t)(firstOf(tags)), C.size_t(b.Len()), options.raw(), nanoseconds(timeout))
		})
		return err
	})
	b.passedOn(posted)
	return posted, err
}
