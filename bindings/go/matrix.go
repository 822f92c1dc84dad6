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
	runtime.SetFinalizer(m, (*Matrix).Close) // views keep it from that too
	return m, nil
}

// Close ends it; the second time nothing happens. It is refused with syscall.EBUSY, and the matrix
// stays, while something shows its memory: a Block whose Bytes were taken and that is neither freed
// nor passed on, such a Delivery without an answer, a View, a Pool that has shown values.
func (m *Matrix) Close() error {
	if m == nil {
		return errNil
	}
	return m.close()
}

func (m *Matrix) enter() (*C.struct_weir_matrix, error) {
	if m == nil {
		return nil, errNil
	}
	raw, err := m.handle.enter()
	return (*C.struct_weir_matrix)(raw), err
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
	if misfit != nil {
		return nil, misfit
	}
	text, err := cString(name)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	return newMatrix(call(text, options.raw()))
}

// Create makes a segment; one without a name is passed on by its descriptor. Nil means all defaults.
func Create(name string, options *MatrixOptions) (*Matrix, error) {
	if misfit != nil {
		return nil, misfit
	}
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
	if fd != int(C.int(fd)) {
		return nil, Error(C.EBADF)
	}
	if misfit != nil {
		return nil, misfit
	}
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
	code := call(raw)
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

// Alloc allocates a block. Free it: no collector does. With TimeoutNs in the options it waits.
func (m *Matrix) Alloc(size int, options *AllocOptions) (*Block, error) {
	if options == nil || options.TimeoutNs == 0 {
		return m.alloc(size, options)
	}
	return m.allocIn(context.Background(), time.Duration(options.TimeoutNs), size, options)
}

// AllocContext waits until there is memory or the context ends.
func (m *Matrix) AllocContext(ctx context.Context, size int, options *AllocOptions) (*Block, error) {
	return m.allocIn(ctx, -1, size, options)
}

func (m *Matrix) allocIn(ctx context.Context, timeout time.Duration, size int, options *AllocOptions) (block *Block, err error) {
	given := AllocOptions{}
	if options != nil {
		given = *options
	}
	err = inSlices(ctx, timeout, func(timeout time.Duration) (err error) {
		given.TimeoutNs = int64(timeout)
		block, err = m.alloc(size, &given)
		return err
	})
	return block, err
}

func (m *Matrix) alloc(size int, options *AllocOptions) (*Block, error) {
	if size < 0 {
		return nil, Error(C.EINVAL)
	}
	raw, err := m.enter()
	if err != nil {
		return nil, err
	}
	code, ref, data := weirMatrixAlloc(raw, C.size_t(size), options.raw())
	m.leave()
	runtime.KeepAlive(m)
	if err := fails(code); err != nil {
		return nil, err
	}
	return &Block{matrix: m, ref: BlockRef(ref), data: data, size: size}, nil
}

// Take makes a block of nobody ours.
func (m *Matrix) Take(block BlockRef) (*Block, error) {
	raw, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer m.leave()
	if err := fails(weirBlockTake(raw, C.weir_ref(block))); err != nil {
		return nil, err
	}
	return m.ours(raw, block)
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
	raw, err := m.enter()
	if err != nil {
		return nil, err
	}
	defer m.leave()
	text, err := cString(name)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	code, found := weirMatrixUnbind(raw, text)
	if err := fails(code); err != nil || found == WeirRefNone {
		return nil, err
	}
	return m.ours(raw, BlockRef(found))
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

// Check looks for contradictions, and repairs them if the flags say so: how many there were, and what
// was seen.
func (m *Matrix) Check(flags CheckFlags) (errors int, report CheckReport, err error) {
	found := C.struct_weir_check_report{size: C.sizeof_struct_weir_check_report}
	errors, err = m.with(func(raw *C.struct_weir_matrix) C.int {
		return weirMatrixCheck(raw, C.weir_check_flags(flags), &found)
	})
	return errors, checkReportOf(&found), err
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
