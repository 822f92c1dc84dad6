// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

type point struct {
	X, Y int64
	Tags [4]uint16
}

func TestPool(t *testing.T) {
	p, err := NewPool[point](&PoolOptions{Capacity: 3, Flags: PoolFlagsZero})
	must(t, err)
	defer p.Close()
	slot, value, err := p.Acquire(0)
	must(t, err)
	if *value != (point{}) {
		t.Fatal(*value)
	}
	*value = point{1, 2, [4]uint16{3, 4, 5, 6}}
	again, err := p.Get(slot)
	must(t, err)
	if again != value || *again != (point{1, 2, [4]uint16{3, 4, 5, 6}}) {
		t.Fatal(*again)
	}
	slots := make([]SlotRef, 5)
	found, err := p.AcquireMany(slots, 0)
	must(t, err)
	if found != 2 {
		t.Fatal(found)
	}
	if _, _, err := p.Acquire(0); !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	var live []SlotRef
	must(t, p.Walk(func(info SlotInfo) error { live = append(live, info.Slot); return nil }))
	if len(live) != 3 {
		t.Fatal(live)
	}
	released, err := p.ReleaseMany(slots[:2])
	must(t, err)
	if released != 2 {
		t.Fatal(released)
	}
	must(t, p.Release(slot))
	if err := p.Release(slot); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	if live, err := p.IsLive(slot); live || err != nil {
		t.Fatal(live, err)
	}
	if _, err := p.Get(slot); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	if info, err := p.Stats(); err != nil || info.Live != 0 || info.SlotSize != 24 {
		t.Fatal(info, err)
	}
	if err := p.Grow(1); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Fatal(err)
	}
	must(t, p.Close())
	must(t, p.Close())
	if _, _, err := p.Acquire(0); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestPoolRefusesPointers(t *testing.T) {
	if _, err := NewPool[*int](nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if _, err := NewPool[[2]struct{ name string }](nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if _, err := NewPool[any](nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	p, err := NewPool[struct{}](nil)
	must(t, err)
	must(t, p.Close())
}

func TestPoolOfOneThread(t *testing.T) {
	if _, err := NewPool[int64](&PoolOptions{Flags: PoolFlagsSingleThread}); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
}

func TestSharedPool(t *testing.T) {
	m := newTestMatrix(t)
	p, err := CreatePool[point](m, "points", &PoolOptions{Capacity: 1})
	must(t, err)
	other, err := AttachPool[point](m, "points", nil)
	must(t, err)
	if _, err := AttachPool[int32](m, "points", nil); !errors.Is(err, ErrType) {
		t.Fatal(err)
	}
	if _, err := AttachPool[point](m, "none", nil); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	slot, value, err := p.Acquire(0)
	must(t, err)
	value.X = 7
	found, err := other.Get(slot)
	must(t, err)
	if found.X != 7 {
		t.Fatal(found.X)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := other.AcquireContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = p.Release(slot) })
	slot, _, err = other.AcquireContext(context.Background())
	must(t, err)
	must(t, other.Release(slot))
	must(t, other.Close())
	must(t, p.Destroy())
	if _, _, err := p.Acquire(0); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
	must(t, p.Close())
}

func TestPoolFromManyGoroutines(t *testing.T) {
	p, err := NewPool[int64](&PoolOptions{Capacity: 64, Flags: PoolFlagsGrowable})
	must(t, err)
	defer p.Close()
	var group sync.WaitGroup
	for g := int64(0); g < 4; g++ {
		group.Add(1)
		go func(g int64) {
			defer group.Done()
			for i := int64(0); i < 500; i++ {
				slot, value, err := p.Acquire(soon)
				if err != nil {
					t.Error(err)
					return
				}
				*value = g
				if *value != g || p.Release(slot) != nil {
					t.Error("shared by two")
				}
			}
		}(g)
	}
	group.Wait()
}

func TestIds(t *testing.T) {
	i, err := NewIds(&IdsOptions{Capacity: 2})
	must(t, err)
	first, err := i.Acquire()
	must(t, err)
	second, err := i.Acquire()
	must(t, err)
	if first+second != 1 || i.Capacity() != 2 {
		t.Fatal(first, second)
	}
	if _, err := i.Acquire(); !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	must(t, i.Release(first))
	if free, err := i.IsFree(first); !free || err != nil {
		t.Fatal(free, err)
	}
	if err := i.Release(first); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	if err := i.Grow(1); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Fatal(err)
	}
	must(t, i.Close())
	if _, err := i.Acquire(); !errors.Is(err, os.ErrClosed) || i.Capacity() != 0 {
		t.Fatal(err)
	}
}
