// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

// callAll calls each method with nil and zero for all it takes, and says which errors came.
func callAll(t *testing.T, object any, but map[string]bool) map[string]error {
	found := map[string]error{}
	value := reflect.ValueOf(object)
	for i := 0; i < value.NumMethod(); i++ {
		name, method := value.Type().Method(i).Name, value.Method(i)
		if but[name] {
			continue
		}
		var given []reflect.Value
		for k := 0; k < method.Type().NumIn(); k++ {
			if !method.Type().IsVariadic() || k < method.Type().NumIn()-1 {
				given = append(given, reflect.Zero(method.Type().In(k)))
			}
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%T.%s: %v", object, name, p)
				}
			}()
			results := method.Call(given)
			if len(results) == 0 {
				return
			}
			if err, ok := results[len(results)-1].Interface().(error); ok {
				found[name] = err
			} else if method.Type().Out(len(results)-1).String() == "error" {
				found[name] = nil
			}
		}()
	}
	return found
}

func TestNilReceivers(t *testing.T) {
	for _, object := range []any{(*Matrix)(nil), (*Block)(nil), (*View)(nil), (*Channel)(nil), (*Subscription)(nil),
		(*Delivery)(nil), (*Pool[int64])(nil), (*Ids)(nil), (*Router)(nil), (*Log)(nil), (*Reader)(nil), (*Blocks)(nil)} {
		but := map[string]bool{}
		if _, ok := object.(*Blocks); ok {
			but["Ref"], but["Bytes"] = true, true // no index is right
		}
		for name, err := range callAll(t, object, but) {
			if !errors.Is(err, os.ErrInvalid) || !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%T.%s: %v", object, name, err)
			}
		}
	}
}

// What nobody has made is closed, nil, or wrong; it is never a fault.
func TestZeroReceivers(t *testing.T) {
	for _, object := range []any{new(Matrix), new(Block), new(View), new(Channel), new(Subscription), new(Delivery),
		new(Pool[int64]), new(Ids), new(Router), new(Log), new(Reader), new(Blocks)} {
		but := map[string]bool{}
		if _, ok := object.(*Blocks); ok {
			but["Ref"], but["Bytes"] = true, true
		}
		callAll(t, object, but)
	}
}

func TestNilArguments(t *testing.T) {
	m := newTestMatrix(t)
	c, s := newTestChannel(t, m, nil)
	_, err := c.PostCopies([]byte("x"), 1, nil, nil, nil, 0)
	must(t, err)
	d, err := s.Read(0)
	must(t, err)
	b, err := m.Alloc(8, nil)
	must(t, err)
	p, err := CreatePool[int64](m, "pool", &PoolOptions{Capacity: 2})
	must(t, err)
	defer p.Close()
	router, err := m.CreateRouter("router")
	must(t, err)
	defer router.Close()
	folder := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(folder, &LogOptions{Flags: LogFlagsAnyFilesystem})
	must(t, err)
	defer l.Close()
	r, err := OpenReader(folder, 0, 0)
	must(t, err)
	defer r.Close()
	ends := map[string]bool{"Close": true, "Retire": true, "Destroy": true, "Prefault": true}
	for _, object := range []any{m, b, c, s, d, p, router, l, r} {
		callAll(t, object, ends)
	}
	_ = p.Leave()
	var missing context.Context
	for name, err := range map[string]error{
		"Walk":         m.Walk(nil),
		"Pool.Walk":    p.Walk(nil),
		"Post":         c.Post(nil, 1, nil, 0),
		"Router.Post":  func() error { _, err := router.Post(nil, 1, "", nil, 0); return err }(),
		"PostMany":     func() error { _, err := c.PostMany(nil, nil, nil, nil, 0); return err }(),
		"PostContext":  c.PostContext(missing, b, 8, nil),
		"ReadContext":  func() error { _, err := s.ReadContext(missing); return err }(),
		"WaitContext":  l.WaitContext(missing, 0),
		"NextContext":  func() error { _, err := r.NextContext(missing); return err }(),
		"AllocContext": func() error { _, err := m.AllocContext(missing, 8, nil); return err }(),
		"CreatePool":   func() error { _, err := CreatePool[int64](nil, "pool", nil); return err }(),
		"AttachPool":   func() error { _, err := AttachPool[int64](nil, "pool", nil); return err }(),
	} {
		if !errors.Is(err, os.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	pool, err := NewPool[int64](nil) // a nil pointer to options means all defaults
	must(t, err)
	must(t, pool.Close())
}
