// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"bytes"
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

func newTestChannel(t testing.TB, m *Matrix, options *ChannelOptions) (*Channel, *Subscription) {
	c, err := m.CreateChannel(t.Name(), options)
	must(t, err)
	s, err := c.Subscribe()
	must(t, err)
	t.Cleanup(func() {
		must(t, s.Close())
		must(t, c.Close())
	})
	return c, s
}

func TestCopies(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	posted, err := c.PostCopies([]byte("one--.....three"), 5, []uint64{3, 0, 5}, []uint64{7, 8, 9}, nil, 0)
	must(t, err)
	messages, data := make([]Message, 8), make([]byte, 8*4)
	found, err := s.ReadCopies(messages, data, 4, 0)
	must(t, err)
	if posted != 3 || found != 3 || !bytes.Equal(data[:12], []byte("one\x00\x00\x00\x00\x00thre")) {
		t.Fatalf("%d, %d, %q", posted, found, data)
	}
	if messages[1].Length != 0 || messages[2].Tag != 9 {
		t.Fatal(messages[:3])
	}
	if acked, err := s.AckMany(messages[:3]); acked != 3 || err != nil {
		t.Fatal(acked, err)
	}
	if _, err := s.AckMany(messages[:1]); !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	if used(t, m) != 1 { // the channel itself
		t.Fatal(used(t, m))
	}
}

func TestBadBatches(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	for _, call := range []func() (int, error){
		func() (int, error) { return c.PostCopies([]byte("ab"), 0, nil, nil, nil, 0) },
		func() (int, error) { return c.PostCopies([]byte("ab"), 1, []uint64{1}, nil, nil, 0) },
		func() (int, error) { return c.PostCopies([]byte("ab"), 1, nil, []uint64{1}, nil, 0) },
		func() (int, error) { return c.PostCopies([]byte("ab"), 1, []uint64{2, 2}, nil, nil, 0) },
		func() (int, error) { return s.ReadCopies(make([]Message, 2), make([]byte, 7), 4, 0) },
		func() (int, error) { return s.ReadCopies(make([]Message, 2), nil, 0, 0) },
		func() (int, error) { return m.NewBlocks(2).Alloc(-1, nil) },
	} {
		if done, err := call(); done != 0 || !errors.Is(err, syscall.EINVAL) {
			t.Error(done, err)
		}
	}
	for _, call := range []func() (int, error){
		func() (int, error) { return c.PostCopies(nil, 1, nil, nil, nil, 0) },
		func() (int, error) { return c.PostMany(m.NewBlocks(0), nil, nil, nil, 0) },
		func() (int, error) { return m.NewBlocks(0).Alloc(1, nil) },
		func() (int, error) { return s.ReadMany(nil, 0) },
		func() (int, error) { return s.AckMany(nil) },
	} {
		if done, err := call(); done != 0 || err != nil {
			t.Error(done, err)
		}
	}
}

func TestManyBlocks(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, &ChannelOptions{Capacity: 16})
	b := m.NewBlocks(20)
	made, err := b.Alloc(8, nil)
	must(t, err)
	for i := 0; i < made; i++ {
		copy(b.Bytes(i), []byte{byte(i), 'x'})
	}
	posted, err := c.PostMany(b, nil, nil, &PostOptions{Tag: 5}, 0)
	must(t, err)
	if made != 20 || posted != 16 || b.Len() != 4 || b.Bytes(0)[0] != 16 {
		t.Fatal(made, posted, b.Len())
	}
	if _, err := b.Alloc(8, nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if _, err := c.PostMany(b, nil, nil, nil, 0); !errors.Is(err, syscall.EAGAIN) || b.Len() != 4 {
		t.Fatal(err)
	}
	messages := make([]Message, 20)
	found, err := s.ReadMany(messages, soon)
	must(t, err)
	for i, message := range messages[:found] {
		view, err := m.View(message.Block)
		must(t, err)
		if view.Bytes()[0] != byte(i) || message.Tag != 5 || message.Length != 8 {
			t.Fatal(i, view.Bytes()[0], message)
		}
		must(t, view.Close())
	}
	_, err = s.AckMany(messages[:found])
	must(t, err)
	must(t, b.Free())
	if found != 16 || b.Len() != 0 || used(t, m) != 1 {
		t.Fatal(found, b.Len(), used(t, m))
	}
}

func TestWaitingForBatches(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	messages, data := make([]Message, 4), make([]byte, 4)
	for i := 0; i < 2; i++ {
		time.AfterFunc(5*time.Millisecond, func() { _, _ = c.PostCopies([]byte("abc"), 3, nil, nil, nil, 0) })
		var found int
		var err error
		if i == 0 {
			found, err = s.ReadManyContext(context.Background(), messages)
		} else {
			found, err = s.ReadCopiesContext(context.Background(), messages[:1], data, 4)
		}
		must(t, err)
		if found != 1 || messages[0].Length != 3 {
			t.Fatal(found, messages[0])
		}
		_, err = s.AckMany(messages[:1])
		must(t, err)
	}
	if string(data[:3]) != "abc" {
		t.Fatalf("%q", data)
	}
}
