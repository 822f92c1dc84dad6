// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <stdint.h>
#include <weir.h>

// As cgo declares what is exported: a number for userdata, which is no pointer.
int weirGoVisit(void *info, uintptr_t userdata);
int weirGoProgress(uint64_t done, uint64_t total, uintptr_t userdata);
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// goOn is what a callback of C returns.
func goOn(yes bool) C.int {
	if yes {
		return 0
	}
	return 1
}

//export weirGoVisit
func weirGoVisit(info unsafe.Pointer, userdata C.uintptr_t) C.int {
	return goOn(cgo.Handle(userdata).Value().(func(unsafe.Pointer) bool)(info))
}

//export weirGoProgress
func weirGoProgress(done, total C.uint64_t, userdata C.uintptr_t) C.int {
	return goOn(cgo.Handle(userdata).Value().(func(done, total uint64) bool)(uint64(done), uint64(total)))
}

func visitor() unsafe.Pointer { return C.weirGoVisit }

// calling runs a call of C that calls `back`, which says whether it goes on. That is none of the
// user's functions: those are behind a stream.
func calling(back any, call func(userdata C.uintptr_t) error) error {
	handle := cgo.NewHandle(back)
	defer handle.Delete()
	return call(C.uintptr_t(handle))
}

// stream brings what a call of C reports to a function of the user. The call runs in a goroutine of
// its own and the function in that of its caller: when it panics, or ends the goroutine, there is
// nothing of C on the stack that is unwound.
type stream[T any] struct {
	batch []T
	full  chan []T
	ended chan struct{} // nobody takes more
}

// newStream reports so many at a time: to pass one on takes longer than to report it.
func newStream[T any](batch int) *stream[T] {
	return &stream[T]{make([]T, 0, batch), make(chan []T), make(chan struct{})}
}

func (s *stream[T]) add(one T) bool {
	s.batch = append(s.batch, one)
	return len(s.batch) < cap(s.batch) || s.pass()
}

func (s *stream[T]) pass() bool {
	select {
	case <-s.ended: // before the other one, which is ready too
		return false
	default:
	}
	select {
	case s.full <- s.batch:
		s.batch = make([]T, 0, cap(s.batch))
		return true
	case <-s.ended:
		return false
	}
}

// run returns when the call has come to its end, and it ends however `each` does.
func (s *stream[T]) run(call func() error, each func(T) error) (err error) {
	var failed error
	go func() {
		defer close(s.full)
		failed = call()
		s.pass()
	}()
	defer func() {
		close(s.ended)
		for range s.full {
		}
	}()
	for batch := range s.full {
		for _, one := range batch {
			if err := each(one); err != nil {
				return err
			}
		}
	}
	return failed
}

const walkBatch = 256

// Walk shows each block, and what is between them; an error of the visitor ends it and is returned.
// It is a little ahead of the visitor, which may use the matrix.
func (m *Matrix) Walk(each func(BlockInfo) error) error {
	if m == nil || each == nil {
		return errNil
	}
	s := newStream[BlockInfo](walkBatch)
	add := func(info unsafe.Pointer) bool { return s.add(blockInfoOf((*C.struct_weir_block_info)(info))) }
	return s.run(func() error {
		return calling(add, func(userdata C.uintptr_t) error {
			_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
				return weirMatrixWalk(raw, (C.weir_walk_fn)(visitor()), userdata)
			})
			return err
		})
	}, each)
}

// Participants are the processes that are attached.
func (m *Matrix) Participants() (found []ParticipantInfo, err error) {
	add := func(info unsafe.Pointer) bool {
		found = append(found, participantInfoOf((*C.struct_weir_participant_info)(info)))
		return true
	}
	err = calling(add, func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixParticipants(raw, (C.weir_participant_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}

// Roots are the names in the matrix.
func (m *Matrix) Roots() (found []RootInfo, err error) {
	add := func(info unsafe.Pointer) bool {
		found = append(found, rootInfoOf((*C.struct_weir_root_info)(info)))
		return true
	}
	err = calling(add, func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixRoots(raw, (C.weir_root_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}

// Prefault makes bytes be there before they are used. The function, if there is one, is told how
// far it is, and may end it with an error; the next piece is under way by then.
func (m *Matrix) Prefault(bytes uint64, progress func(done, total uint64) error) error {
	if progress == nil {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixPrefault(raw, C.uint64_t(bytes), nil, 0)
		})
		return err
	}
	s := newStream[[2]uint64](1)
	add := func(done, total uint64) bool { return s.add([2]uint64{done, total}) }
	return s.run(func() error {
		return calling(add, func(userdata C.uintptr_t) error {
			_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
				return weirMatrixPrefault(raw, C.uint64_t(bytes), (C.weir_prefault_fn)(C.weirGoProgress), userdata)
			})
			return err
		})
	}, func(now [2]uint64) error { return progress(now[0], now[1]) })
}

// Subscribers are those of a broadcast channel.
func (c *Channel) Subscribers() (found []SubscriberInfo, err error) {
	add := func(info unsafe.Pointer) bool {
		found = append(found, subscriberInfoOf((*C.struct_weir_subscriber_info)(info)))
		return true
	}
	err = calling(add, func(userdata C.uintptr_t) error {
		_, err := c.with(func(raw *C.struct_weir_channel) C.int {
			return weirChannelSubscribers(raw, (C.weir_subscriber_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}
