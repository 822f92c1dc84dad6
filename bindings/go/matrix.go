// SPDX-License-Identifier: MIT OR Apache-2.0

// Package weir is shared memory, channels and durable logs for the processes of one machine.
package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Matrix is a segment of shared memory with an allocator. Any goroutine may use it.
type Matrix struct{ handle }

func newMatrix(code C.int, raw *C.struct_weir_matrix) (*Matrix, error) {
	if err := fails(code); err != nil {
		return nil, err
	}
	m := &Matrix{newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) {
		weirMatrixUnref((*C.struct_weir_matrix)(raw))
	})}
	runtime.SetFinalizer(m, (*Matrix).Close)
	return m, nil
}

// cString is a string for C, to be freed, or an error if it holds a NUL.
func cString(text string) (*C.char, error) {
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return nil, Error(C.EINVAL)
		}
	}
	return C.CString(text), nil
}

type maker func(*C.char, *C.struct_weir_matrix_options) (C.int, *C.struct_weir_matrix)

func makeMatrix(call maker, name string, options *MatrixOptions) (*Matrix, error) {
	text, err := cString(name)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	return newMatrix(call(text, options.raw()))
}

// Create makes a segment; one without a name is passed on by its descriptor. Nil means all defaults.
func Create(name string, options *MatrixOptions) (*Matrix, error) {
	if name == "" {
		return newMatrix(weirMatrixCreate(nil, options.raw()))
	}
	return makeMatrix(weirMatrixCreate, name, options)
}

// Attach attaches to a segment that exists.
func Attach(name string, options *MatrixOptions) (*Matrix, error) {
	return makeMatrix(weirMatrixAttach, name, options)
}

// Open attaches, or makes the segment if there is none.
func Open(name string, options *MatrixOptions) (*Matrix, error) {
	return makeMatrix(weirMatrixOpen, name, options)
}

// AttachFd attaches to the segment of a descriptor, which stays the caller's.
func AttachFd(fd int, options *MatrixOptions) (*Matrix, error) {
	return newMatrix(weirMatrixAttachFd(C.int(fd), options.raw()))
}

// Unlink removes a segment's name.
func Unlink(name string) error {
	text, err := cString(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(text))
	return fails(weirMatrixUnlink(text))
}

// with runs a call with the handle, which lives until its end.
func (m *Matrix) with(call func(*C.struct_weir_matrix) C.int) (int, error) {
	raw, err := m.enter()
	if err != nil {
		return 0, err
	}
	code := call((*C.struct_weir_matrix)(raw))
	m.leave()
	runtime.KeepAlive(m)
	return check(code)
}

func (m *Matrix) named(name string, call func(*C.struct_weir_matrix, *C.char) C.int) error {
	text, err := cString(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(text))
	_, err = m.with(func(raw *C.struct_weir_matrix) C.int { return call(raw, text) })
	return err
}

// Fd is the segment's descriptor, which stays the matrix's.
func (m *Matrix) Fd() (int, error) {
	return m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixFd(raw) })
}

// Alloc allocates a block. Free it: no collector does.
func (m *Matrix) Alloc(size int, options *AllocOptions) (*Block, error) {
	if size < 0 {
		return nil, Error(C.EINVAL)
	}
	raw, err := m.enter()
	if err != nil {
		return nil, err
	}
	code, ref, data := weirMatrixAlloc((*C.struct_weir_matrix)(raw), C.size_t(size), options.raw())
	m.leave()
	runtime.KeepAlive(m)
	if err := fails(code); err != nil {
		return nil, err
	}
	return &Block{m, BlockRef(ref), data, size}, nil
}

// AllocContext waits until there is memory or the context ends.
func (m *Matrix) AllocContext(ctx context.Context, size int, options *AllocOptions) (block *Block, err error) {
	given := AllocOptions{}
	if options != nil {
		given = *options
	}
	err = inSlices(ctx, func(timeout time.Duration) (err error) {
		given.TimeoutNs = int64(timeout)
		block, err = m.Alloc(size, &given)
		return err
	})
	return block, err
}

// Bytes shows a block that somebody has; the slice is good as long as the block and the matrix are.
// To write to one of a matrix that is attached with MatrixFlagsReadOnly is a fault, which ends the program.
func (m *Matrix) Bytes(block BlockRef) ([]byte, error) {
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

func (m *Matrix) adopt(block BlockRef) (*Block, error) {
	bytes, err := m.Bytes(block)
	if err != nil {
		return nil, err
	}
	return &Block{m, block, unsafe.Pointer(&bytes[0]), len(bytes)}, nil
}

// Take makes a block of nobody ours.
func (m *Matrix) Take(block BlockRef) (*Block, error) {
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirBlockTake(raw, C.weir_ref(block)) })
	if err != nil {
		return nil, err
	}
	return m.adopt(block)
}

// Lookup finds the block that a name stands for.
func (m *Matrix) Lookup(name string) (block BlockRef, err error) {
	err = m.named(name, func(raw *C.struct_weir_matrix, text *C.char) C.int {
		code, found := weirMatrixLookup(raw, text)
		block = BlockRef(found)
		return code
	})
	return block, err
}

// Unbind removes a name; its block is ours. Nil if it had been freed.
func (m *Matrix) Unbind(name string) (*Block, error) {
	var block BlockRef
	err := m.named(name, func(raw *C.struct_weir_matrix, text *C.char) C.int {
		code, found := weirMatrixUnbind(raw, text)
		block = BlockRef(found)
		return code
	})
	if err != nil || block == WeirRefNone {
		return nil, err
	}
	return m.adopt(block)
}

// Heal finishes what dead participants left; how many there were.
func (m *Matrix) Heal() (int, error) {
	return m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixHeal(raw, nil) })
}

// Trim gives memory of free blocks back to the system, all but so much; how many bytes.
func (m *Matrix) Trim(keep uint64) (bytes uint64, err error) {
	_, err = m.with(func(raw *C.struct_weir_matrix) C.int {
		code, found := weirMatrixTrim(raw, C.uint64_t(keep))
		bytes = uint64(found)
		return code
	})
	return bytes, err
}

// Check looks for contradictions, and repairs them if the flags say so.
func (m *Matrix) Check(flags CheckFlags) (CheckReport, error) {
	report := C.struct_weir_check_report{size: C.sizeof_struct_weir_check_report}
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
		return weirMatrixCheck(raw, C.weir_check_flags(flags), &report)
	})
	return checkReportOf(&report), err
}

// Memory says which pages are behind it, and how much is there.
func (m *Matrix) Memory() (MemoryInfo, error) {
	info := C.struct_weir_memory_info{size: C.sizeof_struct_weir_memory_info}
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixMemory(raw, &info) })
	return memoryInfoOf(&info), err
}

// Retire ends the segment for all.
func (m *Matrix) Retire() error {
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixRetire(raw) })
	return err
}

// Stats gives sizes and counters.
func (m *Matrix) Stats() (MatrixInfo, error) {
	info := C.struct_weir_matrix_info{size: C.sizeof_struct_weir_matrix_info}
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixStats(raw, &info) })
	return matrixInfoOf(&info), err
}

// Block is memory of a matrix that this process owns.
type Block struct {
	matrix *Matrix
	ref    BlockRef
	data   unsafe.Pointer
	size   int
}

// Ref names the block in every process.
func (b *Block) Ref() BlockRef { return b.ref }

// Bytes is the memory itself, good until the block is passed on or freed, or the matrix closed. Nil
// after that.
func (b *Block) Bytes() []byte {
	if b.data == nil || b.matrix.closed() {
		return nil
	}
	return unsafe.Slice((*byte)(b.data), b.size)
}

// passOn ends the ownership if the call succeeds.
func (b *Block) passOn(call func(*C.struct_weir_matrix) C.int) error {
	if b.data == nil {
		return errPassedOn
	}
	if _, err := b.matrix.with(call); err != nil {
		return err
	}
	b.data = nil
	return nil
}

// Free gives it back.
func (b *Block) Free() error {
	return b.passOn(func(raw *C.struct_weir_matrix) C.int { return weirMatrixFree(raw, C.weir_ref(b.ref)) })
}

// Give makes it another participant's, or nobody's (WeirOwnerNone).
func (b *Block) Give(participant uint64) error {
	return b.passOn(func(raw *C.struct_weir_matrix) C.int {
		return weirBlockGive(raw, C.weir_ref(b.ref), C.uint64_t(participant))
	})
}

// Bind gives it a name in the matrix, and to nobody.
func (b *Block) Bind(name string) error {
	text, err := cString(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(text))
	return b.passOn(func(raw *C.struct_weir_matrix) C.int {
		return weirMatrixBind(raw, text, C.weir_ref(b.ref))
	})
}
