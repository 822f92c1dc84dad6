// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"sync"
	"unsafe"
)

// ErrClosed is what a call of something closed returns; errors.Is(err, os.ErrClosed) holds.
var ErrClosed = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "weir: it is closed" }
func (closedError) Is(target error) bool { return target == os.ErrClosed }

// handle counts the calls that run, so that Close never takes the pointer from under one of them:
// the last one out releases it.
type handle struct {
	mutex  sync.Mutex
	raw    unsafe.Pointer
	users  int
	closed bool
	end    func(unsafe.Pointer)
}

func (h *handle) enter() (unsafe.Pointer, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	h.users++
	return h.raw, nil
}

// leave is called behind every call of C; that it is keeps the object alive until then.
func (h *handle) leave() { h.drop(1) }

func (h *handle) drop(users int) {
	h.mutex.Lock()
	h.users -= users
	last := h.closed && h.users == 0 && h.raw != nil
	raw := h.raw
	if last {
		h.raw = nil
	}
	h.mutex.Unlock()
	if last {
		h.end(raw)
	}
}

// Close ends it; the second time nothing happens. Calls that run come to their end first.
func (h *handle) Close() error {
	h.mutex.Lock()
	h.closed = true
	h.mutex.Unlock()
	h.drop(0)
	return nil
}

var errPassedOn = errors.New("weir: the block was passed on or freed")
