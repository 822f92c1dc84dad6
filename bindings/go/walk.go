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

// visit is what a callback calls. Neither an error nor a panic passes through C.
type visit struct {
	each     func(info unsafe.Pointer) error
	progress func(done, total uint64) error
	err      error
	panicked any
}

func (v *visit) call(what func() error) (code C.int) {
	defer func() {
		if v.panicked = recover(); v.panicked != nil {
			code = 1
		}
	}()
	if v.err = what(); v.err != nil {
		return 1
	}
	return 0
}

//export weirGoVisit
func weirGoVisit(info unsafe.Pointer, userdata C.uintptr_t) C.int {
	v := cgo.Handle(userdata).Value().(*visit)
	return v.call(func() error { return v.each(info) })
}

//export weirGoProgress
func weirGoProgress(done, total C.uint64_t, userdata C.uintptr_t) C.int {
	v := cgo.Handle(userdata).Value().(*visit)
	return v.call(func() error { return v.progress(uint64(done), uint64(total)) })
}

// run calls what calls back; the visitor's error is its own, and its panic goes on here.
func (v *visit) run(call func(userdata C.uintptr_t) error) error {
	handle := cgo.NewHandle(v)
	defer handle.Delete()
	err := call(C.uintptr_t(handle))
	if v.panicked != nil {
		panic(v.panicked)
	}
	if v.err != nil {
		return v.err
	}
	return err
}

func visitor() unsafe.Pointer { return C.weirGoVisit }

// Walk shows each block, and what is between them; an error of the visitor ends it and is returned.
func (m *Matrix) Walk(each func(BlockInfo) error) error {
	v := visit{each: func(info unsafe.Pointer) error {
		return each(blockInfoOf((*C.struct_weir_block_info)(info)))
	}}
	return v.run(func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixWalk(raw, (C.weir_walk_fn)(visitor()), userdata)
		})
		return err
	})
}

// Participants are the processes that are attached.
func (m *Matrix) Participants() (found []ParticipantInfo, err error) {
	v := visit{each: func(info unsafe.Pointer) error {
		found = append(found, participantInfoOf((*C.struct_weir_participant_info)(info)))
		return nil
	}}
	err = v.run(func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixParticipants(raw, (C.weir_participant_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}

// Roots are the names in the matrix.
func (m *Matrix) Roots() (found []RootInfo, err error) {
	v := visit{each: func(info unsafe.Pointer) error {
		found = append(found, rootInfoOf((*C.struct_weir_root_info)(info)))
		return nil
	}}
	err = v.run(func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			return weirMatrixRoots(raw, (C.weir_root_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}

// Prefault makes bytes be there before they are used. The function, if there is one, is told how
// far it is, and may end it with an error.
func (m *Matrix) Prefault(bytes uint64, progress func(done, total uint64) error) error {
	v := visit{progress: progress}
	return v.run(func(userdata C.uintptr_t) error {
		_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
			if progress == nil {
				return weirMatrixPrefault(raw, C.uint64_t(bytes), nil, userdata)
			}
			return weirMatrixPrefault(raw, C.uint64_t(bytes), (C.weir_prefault_fn)(C.weirGoProgress), userdata)
		})
		return err
	})
}

// Subscribers are those of a broadcast channel.
func (c *Channel) Subscribers() (found []SubscriberInfo, err error) {
	v := visit{each: func(info unsafe.Pointer) error {
		found = append(found, subscriberInfoOf((*C.struct_weir_subscriber_info)(info)))
		return nil
	}}
	err = v.run(func(userdata C.uintptr_t) error {
		return c.with(func(raw *C.struct_weir_channel) C.int {
			return weirChannelSubscribers(raw, (C.weir_subscriber_fn)(visitor()), userdata)
		})
	})
	return found, err
}
