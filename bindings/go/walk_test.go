// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestWalks(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(64, nil)
	must(t, err)
	seen := 0
	must(t, m.Walk(func(info BlockInfo) error {
		if info.Kind == BlockKindAllocated && info.Block == b.Ref() {
			seen++
		}
		return nil
	}))
	must(t, b.Bind("root"))
	roots, err := m.Roots()
	must(t, err)
	us, err := m.Participants()
	must(t, err)
	if seen != 1 || len(roots) != 1 || roots[0].Name != "root" || len(us) != 1 || int(us[0].Pid) != os.Getpid() {
		t.Fatal(seen, roots, us)
	}
	c, s := newTestChannel(t, m, &ChannelOptions{Mode: ChannelModeBroadcast})
	subscribers, err := c.Subscribers()
	must(t, err)
	if len(subscribers) != 1 || subscribers[0].Participant != us[0].Participant || s == nil {
		t.Fatal(subscribers)
	}
}

func TestVisitorsEndTheWalk(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(8, nil)
	must(t, err)
	mine, calls := errors.New("mine"), 0
	err = m.Walk(func(BlockInfo) error { calls++; return mine })
	if err != mine || calls != 1 {
		t.Fatal(err, calls)
	}
	func() {
		defer func() {
			if p := recover(); p != "panicked" {
				t.Error(p)
			}
		}()
		_ = m.Walk(func(BlockInfo) error { panic("panicked") })
		t.Error("the panic is lost")
	}()
	must(t, m.Walk(func(BlockInfo) error { // a visitor may use the matrix
		b, err := m.Alloc(8, nil)
		if err == nil {
			err = b.Free()
		}
		return err
	}))
	if err := m.Prefault(1<<60, nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	must(t, m.Prefault(1<<20, nil))
	var last [2]uint64
	must(t, m.Prefault(8<<20, func(done, total uint64) error { last = [2]uint64{done, total}; return nil }))
	if last[0] == 0 || last[0] != last[1] {
		t.Fatal(last)
	}
	if err := m.Prefault(16<<20, func(uint64, uint64) error { return mine }); err != mine {
		t.Fatal(err)
	}
	if info, err := m.Memory(); err != nil || info.ResidentBytes == 0 {
		t.Fatal(info, err)
	}
	if _, err := m.Trim(0); err != nil {
		t.Fatal(err)
	}
	if report, err := m.Check(0); err != nil || report.BrokenChains != 0 {
		t.Fatal(report, err)
	}
	must(t, b.Free())
	must(t, m.Retire())
	if _, err := m.Alloc(1, nil); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
}
