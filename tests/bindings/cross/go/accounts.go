// SPDX-License-Identifier: MIT OR Apache-2.0

package main

/*
#cgo pkg-config: weir
#include <stdlib.h>
#include <unistd.h>
#include <weir.h>
*/
import "C"

import (
	"log"
	"unsafe"
)

// accounts is the pool, by the functions of C: a handle of its own, beside that of the package.
type accounts struct {
	matrix *C.struct_weir_matrix
	pool   *C.struct_weir_pool
}

func mustC(code C.int) {
	if code < 0 {
		log.Fatal(C.GoString(C.weir_strerror(code)))
	}
}

func attachAccounts(segment, name string) *accounts {
	a, where, what := &accounts{}, C.CString(segment), C.CString(name)
	defer C.free(unsafe.Pointer(where))
	defer C.free(unsafe.Pointer(what))
	mustC(C.weir_matrix_attach(where, nil, &a.matrix))
	mustC(C.weir_pool_attach(a.matrix, what, nil, &a.pool))
	return a
}

func (a *accounts) acquire() (slot C.weir_slot) {
	mustC(C.weir_pool_acquire(a.pool, 0, &slot, nil))
	return slot
}

func (a *accounts) release(slot C.weir_slot) { mustC(C.weir_pool_release(a.pool, slot)) }

func (a *accounts) bytes(slot uint64) []byte {
	var data unsafe.Pointer
	mustC(C.weir_pool_data(a.pool, C.weir_slot(slot), &data))
	return unsafe.Slice((*byte)(data), int(C.weir_pool_slot_size(a.pool)))
}

func (a *accounts) close() {
	C.weir_pool_unref(a.pool)
	C.weir_matrix_unref(a.matrix)
}

func pause() { C.pause() }
