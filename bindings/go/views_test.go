// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

func mustBeBusy(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, syscall.EBUSY) {
		t.Fatal(err)
	}
}

// Whatever is shown keeps the matrix, which goes on as before, until it is given back.
func TestViewsKeepTheMatrix(t *testing.T) {
	for name, show := range map[string]func(t *testing.T, m *Matrix) (bytes []byte, end func() error){
		"freed": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			b, err := m.Alloc(64, nil)
			must(t, err)
			return b.Bytes(), b.Free
		},
		"bound": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			b, err := m.Alloc(64, nil)
			must(t, err)
			return b.Bytes(), func() error { return b.Bind("name") }
		},
		"given": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			b, err := m.Alloc(64, nil)
			must(t, err)
			return b.Bytes(), func() error { return b.Give(WeirOwnerNone) }
		},
		"posted": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			c, _ := newTestChannel(t, m, nil)
			b, err := m.Alloc(64, nil)
			must(t, err)
			return b.Bytes(), func() error { return c.Post(b, 1, nil, 0) }
		},
		"message": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			c, s := newTestChannel(t, m, nil)
			_, err := c.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
			must(t, err)
			d, err := s.Read(0)
			must(t, err)
			bytes, err := d.Bytes()
			must(t, err)
			return bytes, d.Ack
		},
		"message of a closed subscription": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			c, s := newTestChannel(t, m, nil)
			_, err := c.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
			must(t, err)
			d, err := s.Read(0)
			must(t, err)
			bytes, err := d.Bytes()
			must(t, err)
			must(t, s.Close())
			return bytes, func() error {
				if err := d.Nack(); !errors.Is(err, os.ErrClosed) {
					return errors.New("answered")
				}
				return nil
			}
		},
		"batch": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			b := m.NewBlocks(3)
			_, err := b.Alloc(64, nil)
			must(t, err)
			return b.Bytes(2), b.Free
		},
		"view": func(t *testing.T, m *Matrix) ([]byte, func() error) {
			b, err := m.Alloc(64, nil)
			must(t, err)
			v, err := m.View(b.Ref())
			must(t, err)
			must(t, b.Free()) // which says nothing of it
			return v.Bytes(), v.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Create("", nil)
			must(t, err)
			bytes, end := show(t, m)
			mustBeBusy(t, m.Close())
			runtime.GC() // the collector closes nothing that is shown either
			bytes[0] = 1
			if _, err := m.Stats(); err != nil {
				t.Fatal(err)
			}
			must(t, end())
			must(t, m.Close())
			must(t, m.Close())
		})
	}
}

// collect lets finalizers run, each of which may be what the next one waits for.
func collect() {
	for i := 0; i < 5; i++ {
		runtime.GC()
		time.Sleep(2 * time.Millisecond)
	}
}

func TestTheCollectorLeavesWhatIsShown(t *testing.T) {
	bytes, value, released := func() ([]byte, *int64, [2]chan struct{}) {
		m, err := Create("", nil)
		must(t, err)
		b, err := m.Alloc(64, nil)
		must(t, err)
		p, err := NewPool[int64](nil)
		must(t, err)
		_, value, err := p.Acquire(0)
		must(t, err)
		return b.Bytes(), value, [2]chan struct{}{m.released, p.pool.released}
	}()
	collect()
	bytes[0], *value = 1, 1
	for i, each := range released {
		select {
		case <-each:
			t.Error(i)
		default:
		}
	}
}

func TestTheCollectorClosesWhatIsNot(t *testing.T) {
	var released []chan struct{}
	func() {
		m, err := Create("", nil)
		must(t, err)
		b, err := m.Alloc(64, nil)
		must(t, err)
		b.Bytes()[0] = 1
		must(t, b.Free())
		c, err := m.CreateChannel("channel", nil)
		must(t, err)
		s, err := c.Subscribe()
		must(t, err)
		p, err := CreatePool[int64](m, "pool", &PoolOptions{Capacity: 2})
		must(t, err)
		slot, _, err := p.Acquire(0)
		must(t, err)
		must(t, p.Release(slot))
		released = append(released, m.released, c.released, s.released, p.pool.released)
	}()
	for i, each := range released {
		for tries := 0; ; tries++ {
			collect()
			select {
			case <-each:
			default:
				if tries < 50 {
					continue
				}
				t.Error(i)
			}
			break
		}
	}
}

func TestBytesAreNotShownTwice(t *testing.T) {
	m, err := Create("", nil)
	must(t, err)
	b, err := m.Alloc(64, nil)
	must(t, err)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if len(b.Bytes()) != 64 {
				t.Error("no bytes")
			}
		}()
	}
	group.Wait()
	must(t, b.Free())
	if err := b.Free(); err != errPassedOn || b.Bytes() != nil {
		t.Fatal(err)
	}
	must(t, m.Close())
}

func TestBlocksOfARetiredMatrix(t *testing.T) {
	m, err := Create("", nil)
	must(t, err)
	b, err := m.Alloc(64, nil)
	must(t, err)
	many := m.NewBlocks(2)
	_, err = many.Alloc(64, nil)
	must(t, err)
	b.Bytes()[0], many.Bytes(1)[0] = 1, 1
	must(t, m.Retire())
	mustBeBusy(t, m.Close())
	if err := b.Free(); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
	if err := many.Free(); !errors.Is(err, ErrRetired) || many.Len() != 0 {
		t.Fatal(err)
	}
	must(t, m.Close())
}

func TestMessagesAfterTheirAnswer(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, &ChannelOptions{Mode: ChannelModeBroadcast})
	other, err := c.Subscribe()
	must(t, err)
	defer other.Close()
	_, err = c.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
	must(t, err)
	d, err := s.Read(0)
	must(t, err)
	must(t, d.Ack())
	if _, err := d.Bytes(); !errors.Is(err, ErrStale) { // though the other one still holds it
		t.Fatal(err)
	}
	if err := d.Ack(); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
}

// The memory of such a pool is its own; what C counts tells whether a value may be in use.
func TestValuesKeepTheirPool(t *testing.T) {
	p, err := NewPool[int64](nil)
	must(t, err)
	slot, value, err := p.Acquire(0)
	must(t, err)
	mustBeBusy(t, p.Close())
	runtime.GC()
	*value = 7
	if again, err := p.Get(slot); err != nil || *again != 7 {
		t.Fatal(err)
	}
	must(t, p.Leave())
	must(t, p.Close())
	p, err = NewPool[int64](nil)
	must(t, err)
	_, err = p.AcquireMany(make([]SlotRef, 3), 0) // no value is shown
	must(t, err)
	must(t, p.Close())
}

func TestValuesKeepTheMatrix(t *testing.T) {
	m, err := Create("", nil)
	must(t, err)
	p, err := CreatePool[int64](m, "numbers", &PoolOptions{Capacity: 4})
	must(t, err)
	slot, value, err := p.Acquire(0)
	must(t, err)
	mustBeBusy(t, p.Close())
	mustBeBusy(t, m.Close())
	*value = 7
	must(t, p.Release(slot))
	mustBeBusy(t, m.Close()) // Get may have shown what others have
	must(t, p.Close())
	must(t, m.Close())
	if _, _, err := p.Acquire(0); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}
