// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// Router is a table of rules in a matrix that says to which channels a message goes. Any goroutine
// may use it.
type Router struct {
	handle
	matrix *Matrix
}

func (m *Matrix) makeRouter(call func(*C.struct_weir_matrix, *C.char) (C.int, *C.struct_weir_router), name string) (*Router, error) {
	var made *C.struct_weir_router
	err := m.named(name, func(raw *C.struct_weir_matrix, text *C.char) (code C.int) {
		code, made = call(raw, text)
		return code
	})
	if err != nil {
		return nil, err
	}
	r := &Router{newHandle(unsafe.Pointer(made), func(raw unsafe.Pointer) {
		weirRouterUnref((*C.struct_weir_router)(raw))
	}), m}
	runtime.SetFinalizer(r, (*Router).Close)
	return r, nil
}

// CreateRouter makes a router without rules.
func (m *Matrix) CreateRouter(name string) (*Router, error) {
	return m.makeRouter(weirRouterCreate, name)
}

// AttachRouter attaches to one that exists.
func (m *Matrix) AttachRouter(name string) (*Router, error) {
	return m.makeRouter(weirRouterAttach, name)
}

// Close ends it; the second time nothing happens. A Post that waits in another goroutine ends too.
func (r *Router) Close() error {
	if r == nil {
		return errNil
	}
	return r.close()
}

func (r *Router) enter() (*C.struct_weir_router, error) {
	if r == nil {
		return nil, errNil
	}
	raw, err := r.handle.enter()
	return (*C.struct_weir_router)(raw), err
}

func (r *Router) with(call func(*C.struct_weir_router) C.int) (int, error) {
	raw, err := r.enter()
	if err != nil {
		return 0, err
	}
	code := call(raw)
	r.leave()
	runtime.KeepAlive(r)
	return check(code)
}

// optional is a string for C, to be freed, or nil for an empty one.
func optional(text string) (*C.char, error) {
	if text == "" {
		return nil, nil
	}
	return cString(text)
}

// AddRule adds a rule; its number. The topic is for RouterConditionTopic alone. The channels need
// not exist yet.
func (r *Router) AddRule(rule RouterRule, topic string, channels ...string) (id uint64, err error) {
	pattern, err := optional(topic)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(pattern))
	for _, name := range channels {
		if strings.Contains(name, "\n") {
			return 0, Error(C.EINVAL)
		}
	}
	names, err := optional(strings.Join(channels, "\n"))
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(names))
	given := rule.raw()
	given.topic, given.channels = pattern, names
	_, err = r.with(func(raw *C.struct_weir_router) C.int {
		code, number := weirRouterAddRule(raw, given)
		id = uint64(number)
		return code
	})
	return id, err
}

// RemoveRule removes the rule of this number.
func (r *Router) RemoveRule(id uint64) error {
	_, err := r.with(func(raw *C.struct_weir_router) C.int { return weirRouterRemoveRule(raw, C.uint64_t(id)) })
	return err
}

// Rules are all of them, in order.
func (r *Router) Rules() (found []RuleInfo, err error) {
	add := func(info unsafe.Pointer) bool {
		found = append(found, ruleInfoOf((*C.struct_weir_rule_info)(info)))
		return true
	}
	err = calling(add, func(userdata C.uintptr_t) error {
		_, err := r.with(func(raw *C.struct_weir_router) C.int {
			return weirRouterRules(raw, (C.weir_rule_fn)(visitor()), userdata)
		})
		return err
	})
	return found, err
}

// Post hands a block over by the first rule that is for it; to how many channels. A failure leaves
// it with its owner. The topic, if any, is what rules look at. A negative timeout is for ever.
func (r *Router) Post(block *Block, length int, topic string, options *RouteOptions, timeout time.Duration) (posted int, err error) {
	if r == nil {
		return 0, errNil
	}
	if length < 0 {
		return 0, Error(C.EINVAL)
	}
	text, err := optional(topic)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(text))
	if options == nil {
		options = &RouteOptions{}
	}
	given := options.raw()
	given.topic = text
	err = block.passOnIn(r.matrix, func(ref C.weir_ref) error {
		return waiting(timeout, func(timeout time.Duration) (err error) {
			posted, err = r.with(func(raw *C.struct_weir_router) C.int {
				return weirRouterPost(raw, ref, C.size_t(length), given, nanoseconds(timeout))
			})
			return err
		})
	})
	return posted, err
}

// Retire ends the router for all; its channels stay.
func (r *Router) Retire() error {
	_, err := r.with(func(raw *C.struct_weir_router) C.int { return weirRouterRetire(raw) })
	return err
}
