// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import (
	"errors"
	"syscall"
	"testing"
)

func TestRouter(t *testing.T) {
	m := newTestMatrix(t)
	r, err := m.CreateRouter("router")
	must(t, err)
	defer r.Close()
	var inboxes [2]*Subscription
	for i, name := range []string{"a", "b"} {
		c, err := m.CreateChannel(name, nil)
		must(t, err)
		defer c.Close()
		inboxes[i], err = c.Subscribe()
		must(t, err)
		defer inboxes[i].Close()
	}
	tag, err := r.AddRule(RouterRule{Condition: RouterConditionTag, Tag: 7}, "", "a")
	must(t, err)
	topic, err := r.AddRule(RouterRule{Condition: RouterConditionTopic, Action: RouterActionCopy, Before: tag}, "news/*", "a", "b")
	must(t, err)
	post := func(topic string, tag uint64) (int, error) {
		b, err := m.Alloc(8, nil)
		must(t, err)
		posted, err := r.Post(b, copy(b.Bytes(), topic), topic, &RouteOptions{Tag: tag}, 0)
		if err != nil {
			must(t, b.Free())
		} else if b.Bytes() != nil {
			t.Fatal("still ours")
		}
		return posted, err
	}
	if posted, err := post("", 7); posted != 1 || err != nil {
		t.Fatal(posted, err)
	}
	if posted, err := post("news/x", 1); posted != 2 || err != nil {
		t.Fatal(posted, err)
	}
	if _, err := post("", 8); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	rules, err := r.Rules()
	must(t, err)
	if len(rules) != 2 || rules[0].Id != topic || rules[0].Topic != "news/*" || rules[0].Channels != "a\nb" || rules[1].Posted != 1 {
		t.Fatal(rules)
	}
	for i, want := range []int{2, 1} {
		found, err := inboxes[i].ReadMany(make([]Message, 4), 0)
		must(t, err)
		if found != want {
			t.Fatal(i, found)
		}
	}
	must(t, r.RemoveRule(tag))
	if err := r.RemoveRule(tag); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	if _, err := r.AddRule(RouterRule{Condition: 99}, "", "a"); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	if _, err := r.AddRule(RouterRule{}, "", "a\x00b"); !errors.Is(err, syscall.EINVAL) {
		t.Fatal(err)
	}
	again, err := m.AttachRouter("router")
	must(t, err)
	must(t, again.Retire())
	must(t, again.Close())
	if _, err := r.Rules(); !errors.Is(err, ErrRetired) {
		t.Fatal(err)
	}
}
