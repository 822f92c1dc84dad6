// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <weir.h>
*/
import "C"

// Name is what the matrix was opened with; empty if it has none, and of a closed matrix.
func (m *Matrix) Name() (name string) {
	_, _ = m.with(func(raw *C.struct_weir_matrix) C.int { name = C.GoString(weirMatrixName(raw)); return 0 })
	return name
}

// Uuid tells this segment from all others.
func (m *Matrix) Uuid() (Uuid, error) {
	var found C.struct_weir_uuid
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirMatrixUuid(raw, &found) })
	return uuidOf(&found), err
}

// Participant is who this handle is in the segment, for Block.Give in another process.
func (m *Matrix) Participant() (id uint64, err error) {
	_, err = m.with(func(raw *C.struct_weir_matrix) C.int {
		code, found := weirMatrixParticipantId(raw)
		id = uint64(found)
		return code
	})
	return id, err
}

// Owner is who has a block; WeirOwnerNone is nobody.
func (m *Matrix) Owner(block BlockRef) (participant uint64, err error) {
	_, err = m.with(func(raw *C.struct_weir_matrix) C.int {
		code, found := weirBlockOwner(raw, C.weir_ref(block))
		participant = uint64(found)
		return code
	})
	return participant, err
}

// BlockState is the user's state of a block.
func (m *Matrix) BlockState(block BlockRef) (uint32, error) {
	state, err := m.with(func(raw *C.struct_weir_matrix) C.int { return weirBlockState(raw, C.weir_ref(block)) })
	return uint32(state), err
}

// SetBlockState sets the user's state of a block: 0, or WeirStateUserMin to WeirStateUserMax.
func (m *Matrix) SetBlockState(block BlockRef, state uint32) error {
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
		return weirBlockSetState(raw, C.weir_ref(block), C.uint32_t(state))
	})
	return err
}

// Transition moves a block from one state to another; of all who try the same at once, one succeeds.
func (m *Matrix) Transition(block BlockRef, expected, state uint32) error {
	_, err := m.with(func(raw *C.struct_weir_matrix) C.int {
		return weirBlockTransition(raw, C.weir_ref(block), C.uint32_t(expected), C.uint32_t(state))
	})
	return err
}
