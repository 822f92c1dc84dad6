// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Goroutines that wait take no threads; each message wakes one of them.
func TestManyGoroutinesWait(t *testing.T) {
	const waiting = 200
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	before := pprof.Lookup("threadcreate").Count()
	var group sync.WaitGroup
	var sum atomic.Int64
	for i := 0; i < waiting; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			d, err := s.ReadContext(context.Background())
			if err == nil {
				sum.Add(int64(d.Tag))
				err = d.Ack()
			}
			if err != nil {
				t.Error(err)
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	// A thread for each would be 200; on a busy machine some calls take long enough for one.
	if threads := pprof.Lookup("threadcreate").Count() - before; threads > waiting/2 {
		t.Errorf("%d threads for %d goroutines", threads, waiting)
	}
	for i := 1; i <= waiting; i++ {
		_, err := c.PostCopies([]byte{1}, 1, nil, nil, &PostOptions{Tag: uint64(i)}, soon)
		must(t, err)
	}
	group.Wait()
	if sum.Load() != waiting*(waiting+1)/2 {
		t.Fatal(sum.Load())
	}
}

func openDescriptors(t *testing.T) int {
	found, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(found)
}

func TestContextEndsWaiting(t *testing.T) {
	m := newTestMatrix(t)
	_, s := newTestChannel(t, m, nil)
	_, err := s.fd()
	must(t, err)
	before := openDescriptors(t)
	for i := 0; i < 20; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		if _, err := s.ReadContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
		if _, err := s.ReadContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if after := openDescriptors(t); after > before {
		t.Fatal(before, after)
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	m := newTestMatrix(t)
	c, err := m.CreateChannel("jobs", nil)
	must(t, err)
	defer c.Close()
	s, err := c.Subscribe()
	must(t, err)
	time.AfterFunc(10*time.Millisecond, func() { _ = s.Close() })
	if _, err := s.ReadContext(context.Background()); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestRetirementEndsWaiting(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	time.AfterFunc(10*time.Millisecond, func() { _ = c.Retire() })
	if _, err := s.ReadContext(context.Background()); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
}

func TestAllocContext(t *testing.T) {
	m, err := Create("", &MatrixOptions{Capacity: 1 << 20})
	must(t, err)
	defer m.Close()
	b, err := m.Alloc(700000, nil)
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := m.AllocContext(ctx, 700000, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = b.Free() })
	again, err := m.AllocContext(context.Background(), 700000, &AllocOptions{Flags: AllocFlagsZero})
	must(t, err)
	must(t, again.Free())
}

func TestWaitForTheLog(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	var group sync.WaitGroup
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 5; k++ {
				lsn, err := l.Append([]byte("x"))
				if err == nil {
					err = l.WaitContext(context.Background(), lsn)
				}
				if err != nil || l.Durable() <= lsn {
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
	r, err := OpenReader(folder, 0, 0)
	must(t, err)
	defer r.Close()
	for i := 0; i < 100; i++ {
		if record, err := r.Next(); err != nil || record == nil {
			t.Fatal(i, err)
		}
	}
	time.AfterFunc(10*time.Millisecond, func() { _, _ = l.Append([]byte("late")); _ = l.Sync() })
	record, err := r.NextContext(context.Background())
	must(t, err)
	if string(record.Data) != "late" {
		t.Fatalf("%q", record.Data)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.NextContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	must(t, l.Close())
	if err := l.WaitContext(context.Background(), record.Lsn); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}
