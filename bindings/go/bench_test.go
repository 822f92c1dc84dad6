// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"testing"
	"weir/internal/empty"
)

// What a call costs beside one of an empty function of C; `./dev bench bindings` compares them.
func BenchmarkCall(b *testing.B) {
	p, err := NewPool[[8]int64](nil)
	must(b, err)
	defer p.Close()
	slot, _, err := p.Acquire(0)
	must(b, err)
	for _, call := range []struct {
		name string
		call func(n int)
	}{
		{"weir_version_number()/weir", func(n int) {
			for i := 0; i < n; i++ {
				weirVersionNumber()
			}
		}},
		{"weir_version_number()/empty", func(n int) {
			for i := 0; i < n; i++ {
				empty.Number()
			}
		}},
		{"weir_pool_slot_size(pool)/weir", func(n int) {
			for i := 0; i < n; i++ {
				weirPoolSlotSize(nil)
			}
		}},
		{"weir_pool_slot_size(pool)/empty", func(n int) {
			for i := 0; i < n; i++ {
				empty.Size(nil)
			}
		}},
		{"method_IsLive(slot)/weir", func(n int) {
			for i := 0; i < n; i++ {
				_, _ = p.IsLive(slot)
			}
		}},
		{"method_IsLive(slot)/empty", func(n int) {
			for i := 0; i < n; i++ {
				empty.Size(nil)
			}
		}},
	} {
		b.Run(call.name, func(b *testing.B) { call.call(b.N) })
	}
}
