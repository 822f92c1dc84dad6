// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
*/
import "C"

import (
	"os"
	"sync/atomic"
	"unsafe"
)

// ErrClosed is what a call of something closed returns; errors.Is(err, os.ErrClosed) holds.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "weir: it is closed" }
func (closedError) Is(target error) bool { return target == os.ErrClosed }

// errNil is what a call of or with nil returns, where there must be something: syscall.EINVAL and
// os.ErrInvalid.
var errNil error = nilError{}

type nilError struct{}

func (nilError) Error() string        { return "weir: nil, where there must be something" }
func (nilError) Is(target error) bool { return target == os.ErrInvalid }
func (nilError) Unwrap() error        { return Error(C.EINVAL) }

// errForeign is what is returned of a block that is to go to something of another matrix. It is
// syscall.EINVAL.
var errForeign error = foreignError{}

type foreignError struct{}

func (foreignError) Error() string { return "weir: the block is of another matrix" }
func (foreignError) Unwrap() error { return Error(C.EINVAL) }

// errViewed is what Close returns of memory that would be taken from under a slice or a pointer.
// It is syscall.EBUSY.
var errViewed error = viewedError{}

type viewedError struct{}

func (viewedError) Error() string { return "weir: some of its memory is in use: give that back first" }
func (viewedError) Unwrap() error { return Error(C.EBUSY) }

// What handle.state counts.
const (
	closedBit = 1
	oneCall   = 1 << 1 // a call that runs
	oneView   = 1 << 32
	calls     = oneView - oneCall
)

// handle counts the calls that run, so that Close never takes the pointer from under one of them:
// the last one out releases it. It counts the views of its memory too, which keep it from being
// closed: the collector knows nothing of slices of such memory.
type handle struct {
	state    atomic.Int64
	ended    atomic.Bool
	raw      unsafe.Pointer
	end      func(unsafe.Pointer)
	closing  chan struct{} // closed by Close, for goroutines that wait without a call
	released chan struct{} // closed when the library has ended it
}

func newHandle(raw unsafe.Pointer, end func(unsafe.Pointer)) handle {
	return handle{raw: raw, end: end, closing: make(chan struct{}), released: make(chan struct{})}
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
	if h.state.Add(-oneCall)&(calls|closedBit) == closedBit {
		h.release()
	}
}

// release may come twice: who is refused by enter leaves too.
func (h *handle) release() {
	if h.raw != nil && h.ended.CompareAndSwap(false, true) {
		h.end(h.raw)
		close(h.released)
	}
}

// show counts a view, until hide; false if it is closed.
func (h *handle) show() bool {
	if h.state.Add(oneView)&closedBit == 0 {
		return true
	}
	h.hide()
	return false
}

func (h *handle) hide() { h.state.Add(-oneView) }

// close ends it; the second time nothing happens. Calls that run come to their end first.
func (h *handle) close() error {
	if h.raw == nil {
		return ErrClosed // nobody has made it
	}
	for {
		now := h.state.Load()
		if now&closedBit != 0 {
			return nil
		}
		if now >= oneView {
			return errViewed
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
