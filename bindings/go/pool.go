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
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Pool is slots that hold a T each: in the memory of this process, or in a matrix, where all
// processes that are attached use them. Any goroutine may use it. A T holds no pointers: what is
// no number, array or struct of such is refused.
type Pool[T any] struct{ pool *pool }

// pool is what does not depend on T.
type pool struct {
	handle
	matrix *Matrix     // or nil
	shown  atomic.Bool // a value was given out
	turn   sync.Mutex  // of who changes that, or closes it
	ending atomic.Bool // somebody is closing it, or has
}

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

func makePool(m *Matrix, t reflect.Type, options *PoolOptions, call poolMaker) (*pool, error) {
	if misfit != nil {
		return nil, misfit
	}
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
	p := &pool{handle: newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) {
		weirPoolUnref((*C.struct_weir_pool)(raw))
	}), matrix: m}
	runtime.SetFinalizer(p, (*pool).close)
	return p, nil
}

func makePrivatePool(t reflect.Type, options *PoolOptions) (*pool, error) {
	return makePool(nil, t, options, weirPoolCreate)
}

type sharedPoolMaker func(*C.struct_weir_matrix, *C.char, *C.struct_weir_pool_options) (C.int, *C.struct_weir_pool)

func (m *Matrix) makePool(t reflect.Type, name string, options *PoolOptions, call sharedPoolMaker) (p *pool, err error) {
	failed := m.named(name, func(raw *C.struct_weir_matrix, text *C.char) C.int {
		p, err = makePool(m, t, options, func(options *C.struct_weir_pool_options) (C.int, *C.struct_weir_pool) {
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

// base is nil of a nil pool.
func (p *Pool[T]) base() *pool {
	if p == nil {
		return nil
	}
	return p.pool
}

// Close ends it; the second time nothing happens. Who waits in another goroutine is woken. It is
// refused with syscall.EBUSY, and the pool stays, if Acquire or Get has shown values and slots are
// acquired that were acquired by this process: release them, or call Leave.
func (p *Pool[T]) Close() error { return p.base().close() }

// Leave says that nobody uses a value of this pool here any more, through whatever pointer. Slots
// stay acquired, for whoever knows their numbers, and do not keep the pool or its matrix from being
// closed, until the next Acquire or Get.
func (p *Pool[T]) Leave() error { return p.base().leaveValues() }

// Acquire takes a slot. What is in it is unspecified without PoolFlagsZero. The pointer is good
// until the slot is released or the pool closed; nobody can prevent that it is used after it. A
// matrix is not closed before its pools that have shown values are. A negative timeout is for ever.
func (p *Pool[T]) Acquire(timeout time.Duration) (SlotRef, *T, error) {
	slot, data, err := p.base().acquire(context.Background(), timeout)
	return slot, (*T)(data), err
}

// AcquireContext waits until there is a slot or the context ends.
func (p *Pool[T]) AcquireContext(ctx context.Context) (SlotRef, *T, error) {
	slot, data, err := p.base().acquire(ctx, -1)
	return slot, (*T)(data), err
}

// Get finds the value of a slot that somebody has.
func (p *Pool[T]) Get(slot SlotRef) (*T, error) {
	data, err := p.base().get(slot)
	return (*T)(data), err
}

// AcquireMany fills the slice with slots, as many as there are; how many.
func (p *Pool[T]) AcquireMany(slots []SlotRef, timeout time.Duration) (int, error) {
	return p.base().acquireMany(slots, timeout)
}

// Release gives a slot back, whoever has acquired it.
func (p *Pool[T]) Release(slot SlotRef) error { return p.base().release(slot) }

// ReleaseMany gives slots back, up to the first that cannot be; how many.
func (p *Pool[T]) ReleaseMany(slots []SlotRef) (int, error) { return p.base().releaseMany(slots) }

// IsLive says whether somebody has this slot, or it was released since.
func (p *Pool[T]) IsLive(slot SlotRef) (bool, error) { return p.base().isLive(slot) }

// Walk shows each slot that somebody has; an error of the visitor ends it and is returned. It is a
// little ahead of the visitor, which may use the pool.
func (p *Pool[T]) Walk(each func(SlotInfo) error) error { return p.base().visit(each) }

// Grow adds at least so many slots.
func (p *Pool[T]) Grow(slots uint64) error { return p.base().grow(slots) }

// Stats counts the slots.
func (p *Pool[T]) Stats() (PoolInfo, error) { return p.base().stats() }

// Destroy ends the pool for all, and with it its values.
func (p *Pool[T]) Destroy() error { return p.base().destroy() }

func (p *pool) enter() (*C.struct_weir_pool, error) {
	if p == nil {
		return nil, errNil
	}
	raw, err := p.handle.enter()
	return (*C.struct_weir_pool)(raw), err
}

func (p *pool) with(call func(*C.struct_weir_pool) C.int) (int, error) {
	raw, err := p.enter()
	if err != nil {
		return 0, err
	}
	code := call(raw)
	p.leave()
	runtime.KeepAlive(p)
	return check(code)
}

// show keeps the values where they are, until the pool is closed.
func (p *pool) show() error {
	if p.shown.Load() {
		return nil
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.closed() || !p.shown.Load() && p.matrix != nil && !p.matrix.show() {
		return ErrClosed
	}
	p.shown.Store(true)
	return nil
}

// hide is called in turn.
func (p *pool) hide() {
	if p.shown.Swap(false) && p.matrix != nil {
		p.matrix.hide()
	}
}

func (p *pool) leaveValues() error {
	if p == nil {
		return errNil
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.hide()
	return nil
}

// close looks for slots in our hand once new ones are noticed: see acquireOnce.
func (p *pool) close() error {
	if p == nil {
		return errNil
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	p.ending.Store(true)
	if p.shown.Load() && !p.closed() && p.holds() {
		p.ending.Store(false)
		return errViewed
	}
	p.hide()
	return p.handle.close()
}

// holds says whether this process has slots. Of what was retired none can be given back.
func (p *pool) holds() (found bool) {
	var me C.uint64_t
	if p.matrix != nil {
		_, _ = p.matrix.with(func(raw *C.struct_weir_matrix) (code C.int) {
			code, me = weirMatrixParticipantId(raw)
			return code
		})
	}
	_ = p.walk(func(info unsafe.Pointer) bool {
		found = (*C.struct_weir_slot_info)(info).owner == me
		return !found
	})
	return found
}

func (p *pool) acquire(ctx context.Context, timeout time.Duration) (slot SlotRef, data unsafe.Pointer, err error) {
	err = inSlices(ctx, timeout, func(timeout time.Duration) (err error) {
		slot, data, err = p.acquireOnce(timeout)
		return err
	})
	return slot, data, err
}

func (p *pool) acquireOnce(timeout time.Duration) (SlotRef, unsafe.Pointer, error) {
	raw, err := p.enter()
	if err != nil {
		return 0, nil, err
	}
	defer p.leave()
	if err := p.show(); err != nil {
		return 0, nil, err
	}
	code, slot, data := weirPoolAcquire(raw, nanoseconds(timeout))
	if err := fails(code); err != nil {
		return 0, nil, err
	}
	if p.ending.Load() && p.ended() { // close may not have seen the slot
		weirPoolRelease(raw, slot)
		return 0, nil, ErrClosed
	}
	return SlotRef(slot), data, nil
}

// ended waits for who is closing it.
func (p *pool) ended() bool {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.closed()
}

func (p *pool) get(slot SlotRef) (unsafe.Pointer, error) {
	raw, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.show(); err != nil {
		return nil, err
	}
	code, data := weirPoolData(raw, C.weir_slot(slot))
	if err := fails(code); err != nil {
		return nil, err
	}
	if p.ending.Load() && p.ended() {
		return nil, ErrClosed
	}
	return data, nil
}

func (p *pool) acquireMany(slots []SlotRef, timeout time.Duration) (found int, err error) {
	if p == nil {
		return 0, errNil
	}
	if len(slots) == 0 {
		return 0, nil
	}
	err = waiting(timeout, func(timeout time.Duration) (err error) {
		found, err = p.with(func(raw *C.struct_weir_pool) C.int {
			return weirPoolAcquireMany(raw, C.size_t(len(slots)), nanoseconds(timeout), (*C.weir_slot)(firstOf(slots)), nil)
		})
		return err
	})
	return found, err
}

func (p *pool) release(slot SlotRef) error {
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolRelease(raw, C.weir_slot(slot)) })
	return err
}

func (p *pool) releaseMany(slots []SlotRef) (int, error) {
	if p == nil {
		return 0, errNil
	}
	if len(slots) == 0 {
		return 0, nil
	}
	return p.with(func(raw *C.struct_weir_pool) C.int {
		return weirPoolReleaseMany(raw, (*C.weir_slot)(firstOf(slots)), C.size_t(len(slots)))
	})
}

func (p *pool) isLive(slot SlotRef) (bool, error) {
	live, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolIsLive(raw, C.weir_slot(slot)) })
	return live != 0, err
}

func (p *pool) walk(add func(info unsafe.Pointer) bool) error {
	return calling(add, func(userdata C.uintptr_t) error {
		_, err := p.with(func(raw *C.struct_weir_pool) C.int {
			return weirPoolWalk(raw, (C.weir_slot_fn)(visitor()), userdata)
		})
		return err
	})
}

func (p *pool) visit(each func(SlotInfo) error) error {
	if p == nil || each == nil {
		return errNil
	}
	s := newStream[SlotInfo](walkBatch)
	add := func(info unsafe.Pointer) bool { return s.add(slotInfoOf((*C.struct_weir_slot_info)(info))) }
	return s.run(func() error { return p.walk(add) }, each)
}

func (p *pool) grow(slots uint64) error {
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolGrow(raw, C.uint64_t(slots)) })
	return err
}

func (p *pool) stats() (PoolInfo, error) {
	info := C.struct_weir_pool_info{size: C.sizeof_struct_weir_pool_info}
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolStats(raw, &info) })
	return poolInfoOf(&info), err
}

func (p *pool) destroy() error {
	_, err := p.with(func(raw *C.struct_weir_pool) C.int { return weirPoolDestroy(raw) })
	if err == nil {
		err = p.leaveValues()
	}
	return err
}
