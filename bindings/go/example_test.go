// SPDX-License-Identifier: MIT OR Apache-2.0

package weir_test

import (
	"context"
	"fmt"
	"log"
	"time"
	"weir"
)

func Example() {
	matrix, err := weir.Create("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer matrix.Close()
	frames, _ := matrix.CreateChannel("frames", nil)
	defer frames.Close()
	block, _ := matrix.Alloc(1000, nil) // Free it, or pass it on
	frames.Post(block, copy(block.Bytes(), "hello"), nil, -1)
	inbox, _ := frames.Subscribe()
	defer inbox.Close()
	message, _ := inbox.Read(-1)
	text, _ := message.Bytes() // nothing was copied
	fmt.Printf("%s by way of a channel\n", text)
	message.Ack()
	// Output: hello by way of a channel
}

func ExamplePool() {
	type Point struct{ X, Y float64 } // no pointers: other processes may use the slots
	matrix, err := weir.Create("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer matrix.Close()
	points, _ := weir.CreatePool[Point](matrix, "points", nil)
	defer points.Close()
	slot, point, _ := points.Acquire(0)
	*point = Point{3, 4}
	same, _ := points.Get(slot) // in any process that has attached
	fmt.Println(*same, points.Release(slot), points.Release(slot))
	// Output: {3 4} <nil> weir: given back before
}

func ExampleSubscription_ReadContext() {
	matrix, err := weir.Create("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer matrix.Close()
	ticks, _ := matrix.CreateChannel("ticks", nil)
	defer ticks.Close()
	inbox, _ := ticks.Subscribe()
	defer inbox.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = inbox.ReadContext(ctx) // the goroutine sleeps in the runtime's poller
	fmt.Println(err)
	// Output: context deadline exceeded
}

func ExampleChannel_PostCopies() {
	matrix, err := weir.Create("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer matrix.Close()
	ticks, _ := matrix.CreateChannel("ticks", nil)
	defer ticks.Close()
	inbox, _ := ticks.Subscribe()
	defer inbox.Close()
	ticks.PostCopies([]byte("onetwosix"), 3, nil, nil, nil, -1) // three messages, one call
	messages, bytes := make([]weir.Message, 256), make([]byte, 256*64)
	count, _ := inbox.ReadCopies(messages, bytes, 64, -1)
	for i := 0; i < count; i++ {
		fmt.Printf("%s ", bytes[i*64:i*64+int(messages[i].Length)])
	}
	inbox.AckMany(messages[:count])
	// Output: one two six
}
