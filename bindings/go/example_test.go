// SPDX-License-Identifier: MIT OR Apache-2.0

package weir_test

import (
	"fmt"
	"log"
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
