// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"errors"
	"sync/atomic"
	"unsafe"
)

var errPassedOn = errors.New("weir: the block was passed on or freed")

// What hold.state says.
const (
	inHand  int32 = iota
	shown         // in the hand, and a slice of its bytes was given out
	passing       // somebody is passing it on
	gone
)

// hold is what is in our hand until it is passed on: a block, or a message. A slice of it keeps the
// matrix from being closed until then.
type hold struct{ state atomic.Int32 }

func (h *hold) show(m *Matrix) error {
	for {
		switch h.state.Load() {
		case inHand:
		case shown:
			return nil
		default:
			return errPassedOn
		}
		if !m.show() {
			return ErrClosed
		}
		if h.state.CompareAndSwap(inHand, shown) {
			return nil
		}
		m.hide() // somebody else was faster
	}
}

// claim begins to pass it on, which one may do at a time; false if somebody has.
func (h *hold) claim() (before int32, ours bool) {
	for {
		before = h.state.Load()
		if before == passing || before == gone {
			return before, false
		}
		if h.state.CompareAndSwap(before, passing) {
			return before, true
		}
	}
}

// settle ends what claim began.
func (h *hold) settle(m *Matrix, before int32, passedOn bool) {
	if !passedOn {
		h.state.Store(before)
		return
	}
	h.state.Store(gone)
	if before == shown {
		m.hide()
	}
}

// over says whether something is no longer ours after this: it went, or cannot go any more.
func over(err error) bool {
	return err == nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrStale) || errors.Is(err, ErrRetired)
}

// Block is memory of a matrix that this process owns.
type Block struct {
	hold
	matrix *Matrix
	ref    BlockRef
	data   unsafe.Pointer
	size   int
}

// ours is the block of a ref that has just become ours.
func (m *Matrix) ours(raw *C.struct_weir_matrix, ref BlockRef) (*Block, error) {
	code, data, size := weirMatrixData(raw, C.weir_ref(ref))
	if err := fails(code); err != nil {
		return nil, err
	}
	return &Block{matrix: m, ref: ref, data: data, size: int(size)}, nil
}

// Ref names the block in every process.
func (b *Block) Ref() BlockRef {
	if b == nil {
		return WeirRefNone
	}
	return b.ref
}

// Len is how many bytes it has, which asking keeps nothing open for, as Bytes does.
func (b *Block) Len() int {
	if b == nil {
		return 0
	}
	return b.size
}

// Bytes is the memory itself, and nil once the block was passed on or freed, or the matrix closed.
// From now on the matrix cannot be closed until the block is freed or passed on.
//
// That ends the slice as well, and all that were made of it. Nobody can prevent that they are used
// after it: they show what others do in that memory then, and when the matrix is closed they fault,
// which ends the program.
func (b *Block) Bytes() []byte {
	if b == nil || b.data == nil || b.show(b.matrix) != nil {
		return nil
	}
	return unsafe.Slice((*byte)(b.data), b.size)
}

// passOnIn passes a block on to something of a matrix: elsewhere its ref is no block's, or another's.
func (b *Block) passOnIn(m *Matrix, call func(ref C.weir_ref) error) error {
	if b != nil && b.matrix != nil && b.matrix != m {
		return errForeign
	}
	return b.passOn(call)
}

// passOn ends the ownership if the call succeeds.
func (b *Block) passOn(call func(ref C.weir_ref) error) error {
	if b == nil || b.matrix == nil {
		return errNil
	}
	before, ours := b.claim()
	if !ours {
		return errPassedOn
	}
	err := call(C.weir_ref(b.ref))
	b.settle(b.matrix, before, err == nil)
	return err
}

// Free gives it back. If it was given back already, or the matrix retired, it is gone all the same.
func (b *Block) Free() error {
	var refused error
	err := b.passOn(func(ref C.weir_ref) error {
		_, err := b.matrix.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixFree(raw, ref) })
		if !over(err) {
			return err
		}
		refused = err
		return nil
	})
	if err == nil {
		return refused
	}
	return err
}

// Realloc makes it larger or smaller, elsewhere if it must: what is returned has its bytes, and this
// one is over. A failure leaves it as it was.
func (b *Block) Realloc(size int, options *AllocOptions) (made *Block, err error) {
	if size < 0 {
		return nil, Error(C.EINVAL)
	}
	err = b.passOn(func(old C.weir_ref) error {
		var ref C.weir_ref
		var data unsafe.Pointer
		_, err := b.matrix.with(func(raw *C.struct_weir_matrix) (code C.int) {
			code, ref, data = weirMatrixRealloc(raw, old, C.size_t(size), options.raw())
			return code
		})
		if err == nil {
			made = &Block{matrix: b.matrix, ref: BlockRef(ref), data: data, size: size}
		}
		return err
	})
	return made, err
}

// Give makes it another participant's, or nobody's (WeirOwnerNone).
func (b *Block) Give(participant uint64) error {
	return b.passOn(func(ref C.weir_ref) error {
		_, err := b.matrix.with(func(raw *C.struct_weir_matrix) C.int {
			return weirBlockGive(raw, ref, C.uint64_t(participant))
		})
		return err
	})
}

// Bind gives it a name in the matrix, and to nobody.
func (b *Block) Bind(name string) error {
	return b.passOn(func(ref C.weir_ref) error {
		return b.matrix.named(name, func(raw *C.struct_weir_matrix, text *C.char) C.int {
			return weirMatrixBind(raw, text, ref)
		})
	})
}

// View shows a block that somebody else has, or that a message of ReadMany is in. It does not keep
// that from being freed, but the matrix from being closed until the View is: no collector does it.
type View struct {
	hold
	matrix *Matrix
	bytes  []byte
}

// View shows a block that somebody has. Close it. To write to one of a matrix that is attached with
// MatrixFlagsReadOnly is a fault, which ends the program.
func (m *Matrix) View(block BlockRef) (*View, error) {
	bytes, err := m.bytes(block)
	if err != nil {
		return nil, err
	}
	v := &View{matrix: m, bytes: bytes}
	if err := v.show(m); err != nil {
		return nil, err
	}
	return v, nil
}

// bytes are to be shown before they are given out.
func (m *Matrix) bytes(block BlockRef) ([]byte, error) {
	var data unsafe.Pointer
	var size C.size_t
	_, err := m.with(func(raw *C.struct_weir_matrix) (code C.int) {
		code, data, size = weirMatrixData(raw, C.weir_ref(block))
		return code
	})
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(data), int(size)), nil
}

// Bytes is the memory itself, and nil after Close. They are over when whoever has the block frees it.
func (v *View) Bytes() []byte {
	if v == nil || v.state.Load() != shown {
		return nil
	}
	return v.bytes
}

// Close ends it; the second time nothing happens. The slice must not be used after it.
func (v *View) Close() error {
	if v == nil {
		return errNil
	}
	if before, ours := v.claim(); ours {
		v.settle(v.matrix, before, true)
	}
	return nil
}
