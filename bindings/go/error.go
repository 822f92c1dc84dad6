// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <weir.h>
*/
import "C"

import (
	"syscall"
	"time"
)

// Error is what a function of the library returned: an errno or one of the Err constants.
// errors.Is(err, syscall.ENOENT) and errors.Is(err, weir.ErrStale) work.
type Error int32

func (e Error) Error() string { return "weir: " + C.GoString(weirStrerror(C.int(e))) }

// Name is the code's name, as in ENOMEM.
func (e Error) Name() string { return C.GoString(weirErrorName(C.int(e))) }

// Timeout says whether time was over, as net.Error does.
func (e Error) Timeout() bool { return syscall.Errno(e) == syscall.ETIMEDOUT }

// Unwrap gives the errno, if it is one; above all errnos are the library's own codes.
func (e Error) Unwrap() error {
	if e < ErrStale {
		return syscall.Errno(e)
	}
	return nil
}

// check makes an error of a negative result.
func check(code C.int) (int, error) {
	if code < 0 {
		return 0, Error(-code)
	}
	return int(code), nil
}

func fails(code C.int) error {
	_, err := check(code)
	return err
}

// nanoseconds is how the library counts; a negative time is for ever.
func nanoseconds(timeout time.Duration) C.int64_t {
	if timeout < 0 {
		return -1
	}
	return C.int64_t(timeout)
}
