// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"time"
	"unsafe"
)

// Pool is slots that hold a T each: in the memory of this process, or in a matrix, where all
// processes that are attached use them. Any goroutine may use it. A T holds no pointers: what is
// no number, array or struct of such is refused.
type Pool[T any] struct{ *pool }

// pool is what does not depend on T.
type pool struct{ handle }

// pointerIn finds what must not be shared: it means nothing in another process, and the collector
// does not look into slots.
func pointerIn(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return nil
	case reflect.Array:
		return pointerIn(t.Elem())
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if found := pointerIn(t.Field(i).Type); found != nil {
				return found
			}
		}
		return nil
	}
	return t
}

type poolMaker func(options *C.struct_weir_pool_options) (C.int, *C.struct_weir_pool)

func makePool(t reflect.Type, options *PoolOptions, call poolMaker) (*pool, error) {
	if found := pointerIn(t); found != nil {
		return nil, fmt.Errorf("weir: a pool of %v, in which there is a %v: %w", t, found, Error(C.EINVAL))
	}
	given := PoolOptions{}
	if options != nil {
		given = *options
	}
	if given.Flags&PoolFlagsSingleThread != 0 {
		return nil, fmt.Errorf("weir: a goroutine is not one thread: %w", Error(C.EINVAL))
	}
	if given.SlotSize = uint64(t.Size()); given.SlotSize == 0 {
		given.SlotSize = 1
	}
	code, raw := call(given.raw())
	if err := fails(code); err != nil {
		return nil, err
	}
	p := &pool{newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) {
		weirPoolUnref((*C.struct_weir_pool)(raw))
	})}
	runtime.SetFinalizer(p, (*pool).Close)
	return p, nil
}

func makePrivatePool(t reflect.Type, options *PoolOptions) (*pool, error) {
	return makePool(t, options, weirPoolCreate)
}

type sharedPoolMaker func(*C.struct_weir_matrix, *C.char, *C.struct_weir_pool_options) (C.int, *C.struct_weir_pool)

func (m *Matrix) makePool(t reflect.Type, name string, options *PoolOptions, call sharedPoolMaker) (p *pool, err error) {
	failed := m.named(name, func(raw *C.struct_weir_matrix, text *C.char) C.int {
		p, err = makePool(t, options, func(options *C.struct_weir_pool_options) (C.int, *C.struct_weir_pool) {
			return call(raw, text, options)
		})
		return 0
	})
	if failed != nil {
		return nil, failed
	}
	return p, err
}

func (m *Matrix) createPool(t reflect.Type, name string, options *PoolOptions) (*pool, error) {
	return m.makePool(t, name, options, weirPoolCreateIn)
}

func (m *Matrix) attachPool(t reflect.Type, name string, options *PoolOptions) (*pool, error) {
	return m.makePool(t, name, options, weirPoolAttach)
}

// typeOf works for interfaces too.
func typeOf[T any]() reflect.Type { return reflect.TypeOf((*T)(nil)).Elem() }

func typed[T any](p *pool, err error) (*Pool[T], error) {
	if err != nil {
		return nil, err
	}
	return &Pool[T]{p}, nil
}

// NewPool makes a pool of this process alone. Nil means all defaults; SlotSize is T's.
// PoolFlagsSingleThread is refused, as goroutines change their threads.
func NewPool[T any](options *PoolOptions) (*Pool[T], error) {
	return typed[T](makePrivatePool(typeOf[T](), options))
}

// CreatePool makes a pool in a matrix.
func CreatePool[T any](m *Matrix, name string, options *PoolOptions) (*Pool[T], error) {
	return typed[T](m.createPool(typeOf[T](), name, options))
}

// AttachPool attaches to one, whose slots must have T's size.
func AttachPool[T any](m *Matrix, name string, options *PoolOptions) (*Pool[T], error) {
	return typed[T](m.attachPool(typeOf[T](), name, options))
}

// Acquire takes a slot. What is in it is unspecified without PoolFlagsZero. The pointer is good
// until the slot is released or the pool closed. A negative timeout is for ever.
func (p *Pool[T]) Acquire(timeout time.Duration) (SlotRef, *T, error) {
	slot, data, err := p.acquire(timeout)
	return slot, (*T)(data), err
}

// AcquireContext waits until there is a slot or the context ends.
func (p *Pool[T]) AcquireContext(ctx context.Context) (slot SlotRef, value *T, err error) {
	err = inSlices(ctx, func(timeout time.Duration) (err error) {
		slot, value, err = p.Acquire(timeout)
		return err
	})
	return slot, value, err
}

// Get finds the value of a slot that somebody has.
func (p *Pool[T]) Get(slot SlotRef) (*T, error) {
	data, err := p.get(slot)
	return (*T)(data), err
}

func (p *pool) with(call func(*C.struct_weir_pool) C.int) (int, error) {
	raw, err := p.enter()
	if err != nil {
		return 0, err
	}
	code := call((*C.struct_weir_pool)(raw))
	p.leave()
	runtime.KeepAlive(p)
	return check(code)
}

func (p *pool) acquire(timeout time.Duration) (SlotRef, unsafe.Pointer, error) {
	raw, err := p.enter()
	if err != nil {
		return 0, nil, err
	}
	code, slot, data := weirPoolAcquire((*C.struct_weir_pool)(raw), nanoseconds(timeout))
	p.leave()
	runtime.KeepAlive(p)
	if err := fails(code); err != nil {
		return 0, nil, err
	}
	return SlotRef(slot), data, nil
}

func (p *pool) get(slot SlotRef) (data unsafe.Pointer, err error) {
	_, err = p.with(func(raw *C.struct_weir_pool) (code C.int) {
		code, data = weirPoolData(raw, C.weir_slot(slot))
		return code
	})
	return data, err
}

// AcquireMany fills the slice with slots, as many as there are; how many.
func (p *pool) AcquireMany(slots []SlotRef, timeout time.Duration) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	return p.with(func(raw *C.struct_weir_pool) C.int {
		return weirPoolAcquireMany(raw, C.size_t(len(slots)), nanoseconds(timeout), (*C.weir_slot)(firstOf(slots)), nil)
	})
}

// Release gives a slot back, whoever has acquired it.
func (p *pool) Release(slot SlotRef) error {
	raw, err := p.enter()
	if err != nil {
		return err
	}
	code := weirPoolRelease((*C.struct_weir_pool)(raw), C.weir_slot(slot))
	p.leave()
	runtime.KeepAlive(p)
	return fails(code)
}

// ReleaseMany gives slots back, up to the first that cannot be; how many.
func (p *pool) ReleaseMany(slots []SlotRef) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	return p.with(func(raw *C.struct_weir_pool) C.int {
		return weirPoolReleaseMany(raw, (*C.weir_slot)(firstOf(slots)), C.size_t(len(slots)))
	})
}

// IsLive says whether somebody has this slot, or it was released since.
func (p *pool) IsLive(slot SlotRef) (bool, error) {
	live, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolIsLive(raw, C.weir_slot(slot)) })
	return live != 0, err
}

// Walk shows each slot that somebody has; an error of the visitor ends it and is returned.
func (p *pool) Walk(each func(SlotInfo) error) error {
	v := visit{each: func(info unsafe.Pointer) error { return each(slotInfoOf((*C.struct_weir_slot_info)(info))) }}
	return v.run(func(userdata C.uintptr_t) error {
		_, err := p.with(func(raw *C.struct_weir_pool) C.int {
			return weirPoolWalk(raw, (C.weir_slot_fn)(visitor()), userdata)
		})
		return err
	})
}

// Grow adds at least so many slots.
func (p *pool) Grow(slots uint64) error {
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolGrow(raw, C.uint64_t(slots)) })
	return err
}

// Stats counts the slots.
func (p *pool) Stats() (PoolInfo, error) {
	info := C.struct_weir_pool_info{size: C.sizeof_struct_weir_pool_info}
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolStats(raw, &info) })
	return poolInfoOf(&info), err
}

// Destroy ends the pool for all.
func (p *pool) Destroy() error {
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolDestroy(raw) })
	return err
}
