// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const soon = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTestMatrix(t testing.TB) *Matrix {
	m, err := Create("", nil)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

func used(t *testing.T, m *Matrix) uint64 {
	info, err := m.Stats()
	must(t, err)
	return info.UsedBlocks
}

func TestBlocks(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(100, &AllocOptions{Flags: AllocFlagsZero})
	must(t, err)
	b.Bytes()[99] = 7
	other, err := m.View(b.Ref())
	must(t, err)
	defer other.Close()
	if len(b.Bytes()) != 100 || other.Bytes()[99] != 7 || other.Bytes()[98] != 0 || used(t, m) != 1 {
		t.Fatal("not the same memory")
	}
	must(t, b.Free())
	if b.Bytes() != nil || b.Free() == nil || used(t, m) != 0 {
		t.Fatal("freed twice")
	}
	if _, err := m.View(b.Ref()); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	if _, err := m.Alloc(-1, nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
}

func TestRoots(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(4, nil)
	must(t, err)
	copy(b.Bytes(), "root")
	if err := b.Bind("a\x00b"); !errors.Is(err, syscall.EINVAL) || b.Bytes() == nil {
		t.Fatal(err)
	}
	must(t, b.Bind("one"))
	found, err := m.Lookup("one")
	must(t, err)
	again, err := m.Unbind("one")
	must(t, err)
	if found != b.Ref() || again.Ref() != found || string(again.Bytes()[:4]) != "root" {
		t.Fatal("another block")
	}
	must(t, again.Give(WeirOwnerNone))
	taken, err := m.Take(found)
	must(t, err)
	must(t, taken.Free())
}

func TestErrors(t *testing.T) {
	_, err := Attach("there-is-none-of-this-name", nil)
	if !errors.Is(err, syscall.ENOENT) || !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	var code Error
	if !errors.As(err, &code) || code.Name() != "ENOENT" || code.Timeout() {
		t.Fatal(code.Name())
	}
	if ErrStale.Name() != "WEIR_E_STALE" || errors.Unwrap(ErrStale) != nil {
		t.Fatal(ErrStale.Name())
	}
	for _, fd := range []int{-1, 1 << 40} {
		if _, err := AttachFd(fd, nil); !errors.Is(err, syscall.EBADF) {
			t.Fatal(err)
		}
	}
	if _, err := Create("", &MatrixOptions{Capacity: 1}); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
}

func TestClose(t *testing.T) {
	m, err := Create("", &MatrixOptions{ParticipantName: "a name that is too long for it"})
	must(t, err)
	must(t, m.Close())
	must(t, m.Close())
	if _, err := m.Alloc(1, nil); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestNothingIsShownOfAClosedMatrix(t *testing.T) {
	m, err := Create("", nil)
	must(t, err)
	block, err := m.Alloc(10, nil)
	must(t, err)
	must(t, m.Close())
	if block.Bytes() != nil {
		t.Fatal("that memory is gone")
	}
	if err := block.Free(); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	if err := new(Matrix).Close(); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestChannel(t *testing.T) {
	m := newTestMatrix(t)
	c, err := m.CreateChannel("jobs", &ChannelOptions{Capacity: 8})
	must(t, err)
	defer c.Close()
	posted := make(chan error, 1)
	go func() {
		for i := 0; i < 1000; i++ {
			b, err := m.Alloc(64, nil)
			if err == nil {
				n := copy(b.Bytes(), fmt.Sprint("job ", i))
				err = c.Post(b, n, &PostOptions{Tag: uint64(i)}, soon)
			}
			if err != nil || b.Bytes() != nil {
				posted <- fmt.Errorf("post %d: %v", i, err)
				return
			}
		}
		posted <- nil
	}()
	s, err := c.Subscribe()
	must(t, err)
	defer s.Close()
	for i := 0; i < 1000; i++ {
		d, err := s.Read(soon)
		must(t, err)
		bytes, err := d.Bytes()
		must(t, err)
		if string(bytes) != fmt.Sprint("job ", i) || d.Tag != uint64(i) {
			t.Fatalf("%q with %d", bytes, d.Tag)
		}
		must(t, d.Ack())
	}
	must(t, <-posted)
	if used(t, m) != 1 { // the channel itself
		t.Fatal(used(t, m))
	}
}

func TestAnswers(t *testing.T) {
	m := newTestMatrix(t)
	c, err := m.CreateChannel("jobs", nil)
	must(t, err)
	defer c.Close()
	b, err := m.Alloc(64, nil)
	must(t, err)
	if err := c.Post(b, 1<<40, nil, 0); err == nil || b.Bytes() == nil {
		t.Fatal("a failed post took the block")
	}
	must(t, c.Post(b, 3, nil, 0))
	if err := c.Post(b, 3, nil, 0); err == nil {
		t.Fatal("posted twice")
	}
	s, err := c.Subscribe()
	must(t, err)
	defer s.Close()
	d, err := s.Read(0)
	must(t, err)
	must(t, d.Nack())
	d, err = s.Read(soon)
	must(t, err)
	taken, err := d.Take()
	must(t, err)
	must(t, taken.Free())
	if _, err := s.Read(0); !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.ReadContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	must(t, c.Retire())
	if _, err := s.ReadContext(context.Background()); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
}

func TestLog(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	want := []string{"one", "", "three"}
	var last uint64
	for _, text := range want {
		last, err = l.Append([]byte(text))
		must(t, err)
	}
	must(t, l.Wait(last, soon))
	must(t, l.Sync())
	r, err := OpenReader(folder, 0, 0)
	must(t, err)
	for _, text := range want {
		record, err := r.Next()
		must(t, err)
		if string(record.Data) != text || record.AfterGap {
			t.Fatalf("%q", record.Data)
		}
	}
	if record, err := r.Next(); record != nil || err != nil {
		t.Fatal(record, err)
	}
	if err := r.Wait(5 * time.Millisecond); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Fatal(err)
	}
	must(t, r.Seek(last))
	record, err := r.Next()
	must(t, err)
	info, err := l.Stats()
	must(t, err)
	if record.Lsn != last || info.Records != 3 || l.Durable() <= last {
		t.Fatal(record.Lsn, info.Records)
	}
	must(t, r.Close())
	must(t, l.Close())
	if _, err := l.Append(nil); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}

func TestOneReaderForManyGoroutines(t *testing.T) {
	folder := t.TempDir() + "/log"
	l, err := OpenLog(folder, nil)
	must(t, err)
	defer l.Close()
	const count = 5000
	for i := 0; i < count; i++ {
		_, err := l.Append(bytes.Repeat([]byte{byte(i)}, 1+i%700))
		must(t, err)
	}
	must(t, l.Sync())
	r, err := OpenReader(folder, 0, 0)
	must(t, err)
	defer r.Close()
	var seen atomic.Int64
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				record, err := r.Next()
				if err != nil || record == nil {
					return
				}
				if bytes.Count(record.Data, record.Data[:1]) == len(record.Data) {
					seen.Add(1)
				}
			}
		}()
	}
	group.Wait()
	if seen.Load() != count {
		t.Fatal(seen.Load())
	}
}

func TestCloseWhileOthersCall(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if _, err := l.Append([]byte("x")); err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		}()
	}
	time.Sleep(10 * time.Millisecond)
	must(t, l.Close())
	group.Wait()
	again, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem, LockTimeoutNs: 1000000})
	must(t, err) // the last one out has ended it
	must(t, again.Close())
}

func TestLibraryFits(t *testing.T) {
	must(t, misfit)
	must(t, libraryFits(VersionNumber+0x10000, AbiHash))
	for _, err := range []error{libraryFits(VersionNumber-1, 0), libraryFits(VersionNumber, AbiHash+1)} {
		if !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
	}
	defer func() { misfit = nil }()
	misfit = libraryFits(1, 0)
	_, create := Create("", nil)
	_, open := Open("name", nil)
	_, fd := AttachFd(0, nil)
	_, log := OpenLog("folder", nil)
	_, reader := OpenReader("folder", 0, 0)
	_, pool := NewPool[int64](nil)
	_, ids := NewIds(nil)
	for i, err := range []error{create, open, fd, log, reader, pool, ids} {
		if !errors.Is(err, ErrVersion) {
			t.Error(i, err)
		}
	}
}
