// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"runtime"
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
	if faults, report, err := m.Check(0); faults != 0 || err != nil || report.BrokenChains != 0 {
		t.Fatal(report, err)
	}
	must(t, b.Free())
	must(t, m.Retire())
	if _, err := m.Alloc(1, nil); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
}

// A visitor's panic or Goexit unwinds the goroutine that called, and nothing of C.
func TestVisitorsThatDoNotReturn(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(8, nil)
	must(t, err)
	p, err := NewPool[int64](nil)
	must(t, err)
	defer p.Close()
	_, err = p.AcquireMany(make([]SlotRef, 2), 0)
	must(t, err)
	for name, leave := range map[string]func(){
		"panic":  func() { panic("panicked") },
		"nil":    func() { panic(nil) },
		"Goexit": runtime.Goexit,
	} {
		for walk, call := range map[string]func() error{
			"Walk":      func() error { return m.Walk(func(BlockInfo) error { leave(); return nil }) },
			"Pool.Walk": func() error { return p.Walk(func(SlotInfo) error { leave(); return nil }) },
			"Prefault":  func() error { return m.Prefault(1<<20, func(uint64, uint64) error { leave(); return nil }) },
		} {
			ended := make(chan [2]bool)
			var recovered any
			go func() {
				came, returned := false, false
				defer func() { ended <- [2]bool{came, returned} }()
				func() {
					defer func() { recovered = recover() }()
					_ = call()
					returned = true
				}()
				came = true
			}()
			result := <-ended
			if result[1] || result[0] != (name != "Goexit") || name == "panic" && recovered != "panicked" {
				t.Errorf("%s in %s: %v, %v", name, walk, result, recovered)
			}
		}
	}
	if m.state.Load() != 0 || p.pool.state.Load() != 0 {
		t.Fatal("a call has not come to its end")
	}
	must(t, b.Free())
}

func TestWalksOfManyBatches(t *testing.T) {
	m := newTestMatrix(t)
	many := m.NewBlocks(3 * walkBatch)
	made, err := many.Alloc(64, nil)
	must(t, err)
	for _, limit := range []int{1, walkBatch, walkBatch + 1, 1 << 30} {
		calls, seen, mine := 0, 0, errors.New("mine")
		err := m.Walk(func(info BlockInfo) error {
			if calls++; calls == limit {
				return mine
			}
			if info.Kind == BlockKindAllocated {
				seen++
			}
			return nil
		})
		if limit == 1<<30 && (err != nil || seen != made) || limit < 1<<30 && (err != mine || calls != limit) {
			t.Fatal(limit, calls, seen, err)
		}
	}
	must(t, m.Walk(func(BlockInfo) error { _, err := m.Stats(); return err }))
	must(t, many.Free())
}

func TestCloseWithinAWalk(t *testing.T) {
	m, err := Create("", nil)
	must(t, err)
	_, err = m.Alloc(8, nil)
	must(t, err)
	must(t, m.Walk(func(BlockInfo) error { return m.Close() }))
	if err := m.Walk(func(BlockInfo) error { return nil }); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestTheCallEndsWithItsVisitor(t *testing.T) {
	s, mine, added := newStream[int](4), errors.New("mine"), 0
	err := s.run(func() error {
		for added < 1<<20 && s.add(added) {
			added++
		}
		return nil
	}, func(int) error { return mine })
	if err != mine || added > 64 {
		t.Fatal(err, added)
	}
}
