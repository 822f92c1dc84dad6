// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <weir.h>
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Ids are numbers from 0 on, each of one user at a time, for who keeps storage of his own. They are
// of this process alone; any goroutine may use them.
type Ids struct{ handle }

// NewIds makes an allocator of numbers. Nil means all defaults.
func NewIds(options *IdsOptions) (*Ids, error) {
	if misfit != nil {
		return nil, misfit
	}
	code, raw := weirIdsCreate(options.raw())
	if err := fails(code); err != nil {
		return nil, err
	}
	i := &Ids{newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) {
		weirIdsUnref((*C.struct_weir_ids)(raw))
	})}
	runtime.SetFinalizer(i, (*Ids).Close)
	return i, nil
}

// Close ends it; the second time nothing happens.
func (i *Ids) Close() error {
	if i == nil {
		return errNil
	}
	return i.close()
}

func (i *Ids) enter() (*C.struct_weir_ids, error) {
	if i == nil {
		return nil, errNil
	}
	raw, err := i.handle.enter()
	return (*C.struct_weir_ids)(raw), err
}

func (i *Ids) with(call func(*C.struct_weir_ids) C.int) (int, error) {
	raw, err := i.enter()
	if err != nil {
		return 0, err
	}
	code := call(raw)
	i.leave()
	runtime.KeepAlive(i)
	return check(code)
}

// Acquire takes a number that nobody has.
func (i *Ids) Acquire() (id uint32, err error) {
	_, err = i.with(func(raw *C.struct_weir_ids) C.int {
		code, found := weirIdsAcquire(raw)
		id = uint32(found)
		return code
	})
	return id, err
}

// Release gives a number back.
func (i *Ids) Release(id uint32) error {
	_, err := i.with(func(raw *C.struct_weir_ids) C.int { return weirIdsRelease(raw, C.uint32_t(id)) })
	return err
}

// IsFree says whether nobody has a number.
func (i *Ids) IsFree(id uint32) (bool, error) {
	free, err := i.with(func(raw *C.struct_weir_ids) C.int { return weirIdsIsFree(raw, C.uint32_t(id)) })
	return free != 0, err
}

// Grow adds at least so many numbers.
func (i *Ids) Grow(numbers uint64) error {
	_, err := i.with(func(raw *C.struct_weir_ids) C.int { return weirIdsGrow(raw, C.uint64_t(numbers)) })
	return err
}

// Capacity is how many numbers there are, taken or not; 0 of what is closed.
func (i *Ids) Capacity() (numbers uint64) {
	_, _ = i.with(func(raw *C.struct_weir_ids) C.int { numbers = uint64(weirIdsCapacity(raw)); return 0 })
	return numbers
}
