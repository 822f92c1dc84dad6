// SPDX-License-Identifier: MIT OR Apache-2.0

// One side of the message rate in Go; see rates.c, which this is held against.
// usage: rates post|read MATRIX CHANNEL MESSAGES BATCH
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
	"weir"
)

const (
	size   = 64
	period = 251
)

// pattern has message i, 64 bytes of value i % 251; a batch may begin with any of them.
func pattern(batch int) []byte {
	var all []byte
	for i := 0; i < period+batch; i++ {
		all = append(all, bytes.Repeat([]byte{byte(i % period)}, size)...)
	}
	return all
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func post(c *weir.Channel, messages, batch int) {
	data := pattern(batch)
	for at := 0; at < messages; {
		now := batch
		if messages-at < now {
			now = messages - at
		}
		first := at % period * size
		done, err := c.PostCopies(data[first:first+now*size], size, nil, nil, nil, -1)
		must(err)
		at += done
	}
}

func read(c *weir.Channel, messages, batch int) {
	s, err := c.Subscribe()
	must(err)
	defer s.Close()
	data, found, room := pattern(batch), make([]weir.Message, batch), make([]byte, batch*size)
	var began time.Time
	start := 0
	for at := 0; at < messages; {
		count, err := s.ReadCopies(found, room, size, -1)
		must(err)
		first := at % period * size
		if !bytes.Equal(room[:count*size], data[first:first+count*size]) {
			log.Fatalf("rates: message %d is wrong", at)
		}
		_, err = s.AckMany(found[:count])
		must(err)
		if at == 0 {
			start, began = count, time.Now()
		}
		at += count
	}
	fmt.Printf("%.0f\n", float64(messages-start)/time.Since(began).Seconds())
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: rates post|read MATRIX CHANNEL MESSAGES BATCH")
	}
	messages, err := strconv.Atoi(os.Args[4])
	must(err)
	batch, err := strconv.Atoi(os.Args[5])
	must(err)
	m, err := weir.Attach(os.Args[2], nil)
	must(err)
	defer m.Close()
	c, err := m.AttachChannel(os.Args[3], nil)
	must(err)
	defer c.Close()
	if os.Args[1] == "post" {
		post(c, messages, batch)
	} else {
		read(c, messages, batch)
	}
}
