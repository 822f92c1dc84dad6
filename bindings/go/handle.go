// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"
)

// ErrClosed is what a call of something closed returns; errors.Is(err, os.ErrClosed) holds.
var ErrClosed = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "weir: it is closed" }
func (closedError) Is(target error) bool { return target == os.ErrClosed }

const (
	closedBit = 1 // of handle.state; above it is the count of calls that run
	oneCall   = 2
)

// handle counts the calls that run, so that Close never takes the pointer from under one of them:
// the last one out releases it.
type handle struct {
	state   atomic.Int64
	ended   atomic.Bool
	raw     unsafe.Pointer
	end     func(unsafe.Pointer)
	closing chan struct{} // closed by Close, for goroutines that wait without a call
}

func newHandle(raw unsafe.Pointer, end func(unsafe.Pointer)) handle {
	return handle{raw: raw, end: end, closing: make(chan struct{})}
}

func (h *handle) enter() (unsafe.Pointer, error) {
	if h.state.Add(oneCall)&closedBit != 0 {
		h.leave()
		return nil, ErrClosed
	}
	return h.raw, nil
}

func (h *handle) closed() bool { return h.state.Load()&closedBit != 0 }

// leave is called behind every call of C; that it is keeps the object alive until then.
func (h *handle) leave() {
	if h.state.Add(-oneCall) == closedBit {
		h.release()
	}
}

// release may come twice: who is refused by enter leaves too.
func (h *handle) release() {
	if h.raw != nil && h.ended.CompareAndSwap(false, true) {
		h.end(h.raw)
	}
}

// Close ends it; the second time nothing happens. Calls that run come to their end first.
func (h *handle) Close() error {
	if h.raw == nil {
		return ErrClosed // nobody has made it
	}
	for {
		now := h.state.Load()
		if now&closedBit != 0 {
			return nil
		}
		if h.state.CompareAndSwap(now, now|closedBit) {
			close(h.closing)
			if now == 0 {
				h.release()
			}
			return nil
		}
	}
}

var errPassedOn = errors.New("weir: the block was passed on or freed")
