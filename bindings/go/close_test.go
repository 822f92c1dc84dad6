// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A slot that comes while somebody closes the pool may not have been seen by who looks for slots.
func TestAcquireBesideClose(t *testing.T) {
	for _, refused := range []bool{false, true} {
		p, err := NewPool[int64](&PoolOptions{Capacity: 4})
		must(t, err)
		slot, _, err := p.Acquire(0)
		must(t, err)
		must(t, p.Release(slot))
		inner := p.pool
		inner.turn.Lock()
		inner.ending.Store(true)
		acquired := make(chan error)
		go func() {
			_, value, err := p.Acquire(0)
			if err == nil {
				*value = 1
			}
			acquired <- err
		}()
		for inner.state.Load() == 0 { // until it is in the call
			runtime.Gosched()
		}
		if !refused {
			must(t, inner.handle.close())
		}
		inner.turn.Unlock()
		if err := <-acquired; refused && err != nil || !refused && !errors.Is(err, os.ErrClosed) {
			t.Fatal(refused, err)
		}
	}
}

func TestClosePoolsWhileOthersAcquire(t *testing.T) {
	for i := 0; i < 50; i++ {
		p, err := NewPool[int64](&PoolOptions{Capacity: 4})
		must(t, err)
		var group sync.WaitGroup
		started := make(chan bool, 1)
		for g := 0; g < 2; g++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					slot, value, err := p.Acquire(0)
					if err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
					select {
					case started <- true:
					default:
					}
					*value = 1 // a fault if Close has not seen it
					if err := p.Release(slot); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		<-started
		for p.Close() != nil {
			runtime.Gosched()
		}
		group.Wait()
	}
}

// Whoever sleeps in C is told soon that Close was called elsewhere.
func TestCloseWakesWhoSleeps(t *testing.T) {
	m := newTestMatrix(t)
	full, _ := newTestChannel(t, m, &ChannelOptions{Capacity: 2})
	for err := error(nil); !errors.Is(err, syscall.EAGAIN); {
		_, err = full.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
	}
	empty, err := m.CreateChannel("empty", nil)
	must(t, err)
	defer empty.Close()
	subscribe := func() *Subscription {
		s, err := empty.Subscribe()
		must(t, err)
		return s
	}
	attach := func() *Channel {
		c, err := m.AttachChannel(t.Name(), nil)
		must(t, err)
		return c
	}
	b, err := m.Alloc(8, nil)
	must(t, err)
	defer b.Free()
	routed, err := m.Alloc(8, nil)
	must(t, err)
	defer routed.Free()
	many := m.NewBlocks(1)
	_, err = many.Alloc(8, nil)
	must(t, err)
	defer many.Free()
	router, err := m.CreateRouter("router")
	must(t, err)
	_, err = router.AddRule(RouterRule{Condition: RouterConditionAny, Action: RouterActionTo}, "", t.Name())
	must(t, err)
	small, err := Create("", &MatrixOptions{Capacity: 1 << 20})
	must(t, err)
	large, err := small.Alloc(700000, nil)
	must(t, err)
	pools := [3]*Pool[int64]{}
	for i := range pools {
		pools[i], err = NewPool[int64](&PoolOptions{Capacity: 1})
		must(t, err)
		_, err = pools[i].AcquireMany(make([]SlotRef, 1), 0)
		must(t, err)
	}
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	defer l.Close()
	r, err := OpenReader(folder, 0, 0)
	must(t, err)

	s1, s2, s3, s4 := subscribe(), subscribe(), subscribe(), subscribe()
	c1, c2, c3 := attach(), attach(), attach()
	messages := make([]Message, 1)
	ctx := context.Background()
	t.Run("at once", func(t *testing.T) {
		for name, each := range map[string]struct {
			sleep func() error
			close func() error
		}{
			"Read":        {func() error { _, err := s1.Read(-1); return err }, s1.Close},
			"ReadFor":     {func() error { _, err := s2.Read(time.Hour); return err }, s2.Close},
			"ReadMany":    {func() error { _, err := s3.ReadMany(messages, -1); return err }, s3.Close},
			"ReadCopies":  {func() error { _, err := s4.ReadCopies(messages[:1:1], make([]byte, 8), 8, -1); return err }, s4.Close},
			"Post":        {func() error { return c1.Post(b, 1, nil, -1) }, c1.Close},
			"PostMany":    {func() error { _, err := c2.PostMany(many, nil, nil, nil, -1); return err }, c2.Close},
			"PostCopies":  {func() error { _, err := c3.PostCopies([]byte("x"), 1, nil, nil, nil, -1); return err }, c3.Close},
			"Router.Post": {func() error { _, err := router.Post(routed, 1, "", nil, -1); return err }, router.Close},
			"Alloc":       {func() error { _, err := small.Alloc(700000, &AllocOptions{TimeoutNs: -1}); return err }, small.Close},
			"Acquire":     {func() error { _, _, err := pools[0].Acquire(-1); return err }, func() error { _ = pools[0].Leave(); return pools[0].Close() }},
			"AcquireMany": {func() error { _, err := pools[1].AcquireMany(make([]SlotRef, 1), -1); return err }, pools[1].Close},
			"AcquireContext": {func() error { _, _, err := pools[2].AcquireContext(ctx); return err },
				func() error { _ = pools[2].Leave(); return pools[2].Close() }},
			"Reader.Wait": {func() error { return r.Wait(-1) }, r.Close},
		} {
			each := each
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ended := make(chan error, 1)
				go func() { ended <- each.sleep() }()
				select {
				case err := <-ended:
					t.Fatalf("it does not sleep: %v", err)
				case <-time.After(150 * time.Millisecond): // longer than a slice
				}
				began := time.Now()
				must(t, each.close())
				if err := <-ended; !errors.Is(err, os.ErrClosed) {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Fatal(took)
				}
			})
		}
	})
	_ = large.Free() // of a closed matrix
}

func TestPostContext(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, &ChannelOptions{Capacity: 16})
	for err := error(nil); err == nil; {
		_, err = c.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
	}
	b, err := m.Alloc(8, nil)
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := c.PostContext(ctx, b, 8, nil); err != context.DeadlineExceeded || time.Since(began) > slice {
		t.Fatal(err, time.Since(began))
	}
	time.AfterFunc(10*time.Millisecond, func() {
		d, err := s.Read(0)
		if err == nil {
			_ = d.Ack()
		}
	})
	must(t, c.PostContext(context.Background(), b, 8, nil))
	if b.Bytes() != nil {
		t.Fatal("still ours")
	}
}

func TestTimesOfSlices(t *testing.T) {
	m := newTestMatrix(t)
	_, s := newTestChannel(t, m, nil)
	for _, timeout := range []time.Duration{20 * time.Millisecond, 250 * time.Millisecond} {
		began := time.Now()
		_, err := s.Read(timeout)
		var code Error
		if !errors.As(err, &code) || !code.Timeout() || time.Since(began) < timeout {
			t.Fatal(err, time.Since(began))
		}
	}
}

// Else who opens it again at once would find it in use.
func TestCloseOfALogWaitsForItsCalls(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	options := &LogOptions{Flags: LogFlagsAnyFilesystem}
	l, err := OpenLog(folder, options)
	must(t, err)
	_, err = l.enter()
	must(t, err)
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	select {
	case err := <-closed:
		t.Fatal(err)
	case <-time.After(20 * time.Millisecond):
	}
	l.leave()
	must(t, <-closed)
	must(t, l.Close())
	again, err := OpenLog(folder, options)
	must(t, err)
	must(t, again.Close())
}

func TestCloseEndsAllTurnsOfAReader(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	defer l.Close()
	r, err := OpenReader(folder, 0, 0)
	must(t, err)
	ended := make(chan error)
	const waiting = 20
	for i := 0; i < waiting; i++ {
		go func() { ended <- r.Wait(-1) }()
	}
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	must(t, r.Close())
	for i := 0; i < waiting; i++ {
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Fatal(took)
	}
}
