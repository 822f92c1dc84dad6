// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// slice is how long a call of C waits at most before it is looked whether a context has ended, or
// the object was closed.
const slice = 100 * time.Millisecond

// inSlices repeats a call that waits in C until it has an answer, the time is over, the context has
// ended or the object is closed, which the call itself says. A negative timeout is for ever.
func inSlices(ctx context.Context, timeout time.Duration, call func(time.Duration) error) error {
	if ctx == nil {
		return errNil
	}
	if timeout >= 0 && timeout <= slice {
		return call(timeout)
	}
	end := time.Now().Add(timeout)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now, last := slice, false
		if deadline, ok := ctx.Deadline(); ok {
			now = atMost(now, time.Until(deadline))
		}
		if timeout > 0 {
			left := time.Until(end)
			now, last = atMost(now, left), left <= now
		}
		if err := call(now); last || !errors.Is(err, syscall.ETIMEDOUT) {
			return err
		}
	}
}

// atMost is never 0, which would not be waiting.
func atMost(now, left time.Duration) time.Duration {
	switch {
	case left < time.Millisecond:
		return time.Millisecond
	case left < now:
		return left
	}
	return now
}

// waiting is the same without a context.
func waiting(timeout time.Duration, call func(time.Duration) error) error {
	return inSlices(context.Background(), timeout, call)
}

// await calls try until it says something else than EAGAIN. Between two tries the goroutine sleeps
// in the runtime's poller, which takes no thread, until the descriptor becomes readable, the context
// ends or the handle is closed.
func (h *handle) await(ctx context.Context, fd func() (int, error), try func() error) error {
	if ctx == nil {
		return errNil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := try(); !errors.Is(err, syscall.EAGAIN) {
		return err
	}
	file, err := h.duplicate(fd)
	if err != nil {
		return err
	}
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	finished := make(chan struct{})
	defer close(finished)
	go h.interrupt(ctx, file, finished)
	var result error
	stopped := conn.Read(func(uintptr) bool {
		result = try()
		return !errors.Is(result, syscall.EAGAIN)
	})
	switch {
	case stopped == nil:
		return result
	case ctx.Err() != nil:
		return ctx.Err()
	case h.closed():
		return ErrClosed
	}
	return stopped
}

// duplicate gives a descriptor of the caller's own: goroutines that wait for the same do not queue
// up, and the end of the handle takes nothing from the poller.
func (h *handle) duplicate(fd func() (int, error)) (*os.File, error) {
	original, err := fd()
	if err != nil {
		return nil, err
	}
	if _, err := h.enter(); err != nil { // else the number may be somebody else's by now
		return nil, err
	}
	defer h.leave()
	copied, _, code := syscall.Syscall(syscall.SYS_FCNTL, uintptr(original), syscall.F_DUPFD_CLOEXEC, 0)
	if code != 0 {
		return nil, code
	}
	return os.NewFile(copied, "weir"), nil // the poller's, as it does not block
}

func (h *handle) interrupt(ctx context.Context, file *os.File, finished <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-h.closing:
	case <-finished:
		return
	}
	_ = file.SetReadDeadline(time.Unix(1, 0))
}
