// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A ref may name another block elsewhere: nothing of another matrix is asked about it.
func TestBlocksOfAnotherMatrix(t *testing.T) {
	here, there := newTestMatrix(t), newTestMatrix(t)
	c, err := there.CreateChannel("c", nil)
	must(t, err)
	defer c.Close()
	r, err := there.CreateRouter("r")
	must(t, err)
	defer r.Close()
	b, err := here.Alloc(10, nil)
	must(t, err)
	if err := c.Post(b, 1, nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	if _, err := r.Post(b, 1, "", nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	must(t, b.Free())
	many := here.NewBlocks(2)
	_, err = many.Alloc(10, nil)
	must(t, err)
	if _, err := c.PostMany(many, nil, nil, nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	must(t, many.Free())
}

func TestStatesAndOwners(t *testing.T) {
	m := newTestMatrix(t)
	b, err := m.Alloc(10, nil)
	must(t, err)
	me, err := m.Participant()
	must(t, err)
	owner, err := m.Owner(b.Ref())
	must(t, err)
	if owner != me || b.Len() != 10 {
		t.Fatal(owner, me, b.Len())
	}
	must(t, m.SetBlockState(b.Ref(), WeirStateUserMin))
	must(t, m.Transition(b.Ref(), WeirStateUserMin, WeirStateUserMax))
	if err := m.Transition(b.Ref(), WeirStateUserMin, 0); !errors.Is(err, syscall.EAGAIN) {
		t.Error(err)
	}
	state, err := m.BlockState(b.Ref())
	must(t, err)
	uuid, err := m.Uuid()
	must(t, err)
	if state != WeirStateUserMax || uuid == (Uuid{}) || m.Name() != "" {
		t.Error(state, uuid, m.Name())
	}
	copy(b.Bytes(), "0123456789")
	larger, err := b.Realloc(100000, nil)
	must(t, err)
	if b.Bytes() != nil || larger.Len() != 100000 || string(larger.Bytes()[:10]) != "0123456789" {
		t.Error(larger.Len())
	}
	if _, err := larger.Realloc(0, nil); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
	must(t, larger.Free())
	must(t, m.Close())
}

func TestTagsBatchesAndCursors(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, nil)
	must(t, err)
	_, err = l.TryAppend([]byte("one"))
	must(t, err)
	two, err := l.AppendParts(7, []byte("t"), nil, []byte("wo"))
	must(t, err)
	_, err = l.AppendBatch(8, []byte("three"), []byte(""))
	must(t, err)
	for _, tag := range []uint32{65536, 1 << 31} {
		if _, err := l.AppendParts(tag, nil); !errors.Is(err, syscall.EINVAL) {
			t.Error(tag, err)
		}
	}
	for _, count := range []int{0, 1025} {
		if _, err := l.AppendBatch(0, make([][]byte, count)...); !errors.Is(err, syscall.EINVAL) {
			t.Error(count, err)
		}
	}
	must(t, l.Sync())
	must(t, l.Err())
	if l.Tail() < l.Durable() {
		t.Error(l.Tail(), l.Durable())
	}
	must(t, l.Close())
	if err := l.Err(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := LoadCursor(folder, "mine"); !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
	must(t, StoreCursor(folder, "mine", two, 0))
	lsn, err := LoadCursor(folder, "mine")
	must(t, err)
	r, err := OpenReader(folder, lsn, 0)
	must(t, err)
	defer r.Close()
	for _, want := range []struct {
		tag  uint32
		data string
	}{{7, "two"}, {8, "three"}, {8, ""}} {
		record, err := r.Next()
		must(t, err)
		if record.Tag != want.tag || string(record.Data) != want.data {
			t.Error(record, want)
		}
	}
	report, err := Verify(folder)
	must(t, err)
	if report.Verdict != LogVerdictWhole {
		t.Error(report)
	}
	if done, _, err := Repair(folder, "", nil); done || err != nil {
		t.Error(done, err)
	}
	if _, err := Verify(folder + "\x00"); !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
}

func TestWhyALibraryDoesNotFit(t *testing.T) {
	for why, err := range map[string]error{
		"which is older":           libraryFits(VersionNumber-1, 0),
		"of another build":         libraryFits(VersionNumber, AbiHash+1),
		"which has left it behind": libraryFits(VersionNumber+0x100, 0),
	} {
		if !strings.HasSuffix(err.Error(), why) {
			t.Error(err)
		}
	}
	if LibraryVersion() != versionText(uint32(weirVersionNumber())) {
		t.Error(LibraryVersion())
	}
	if FeatureSupported(Feature(1 << 31)) {
		t.Error("a feature that is none")
	}
}
