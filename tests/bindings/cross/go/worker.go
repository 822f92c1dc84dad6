// SPDX-License-Identifier: MIT OR Apache-2.0

// The worker in Go. What all workers do is told in cross.py. usage: worker SEGMENT LOG
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"weir"
)

const hold = 1

// words is how all languages write a job (number, slot, lsn, hops) and an account (number, value).
var words = binary.LittleEndian

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func sumOfRecord(reader *weir.Reader, lsn uint64) (sum uint64) {
	must(reader.Seek(lsn))
	record, err := reader.Next()
	must(err)
	for _, b := range record.Data {
		sum += uint64(b)
	}
	return sum
}

func work(account []byte, number, sum uint64) {
	if words.Uint64(account) != number {
		log.Fatal("the account of another job")
	}
	words.PutUint64(account[8:], words.Uint64(account[8:])*31+sum)
}

func handle(matrix *weir.Matrix, message *weir.Delivery, accounts *accounts, reader *weir.Reader, jobs, results *weir.Channel) {
	job, err := message.Bytes()
	must(err)
	number, slot, lsn, hops := words.Uint64(job), words.Uint64(job[8:]), words.Uint64(job[16:]), words.Uint64(job[24:])
	scratch := accounts.acquire()
	block, err := matrix.Alloc(len(job), nil)
	must(err)
	if message.Tag == hold && message.Redeliveries == 0 {
		fmt.Println("holding")
		for {
			pause()
		}
	}
	work(accounts.bytes(slot), number, sumOfRecord(reader, lsn))
	copy(block.Bytes(), job)
	words.PutUint64(block.Bytes()[24:], hops-1)
	next := jobs
	if hops == 1 {
		next = results
	}
	must(next.Post(block, len(job), nil, -1))
	must(message.Ack())
	accounts.release(scratch)
}

func main() {
	matrix, err := weir.Attach(os.Args[1], nil)
	must(err)
	defer matrix.Close()
	jobs, err := matrix.AttachChannel("jobs", nil)
	must(err)
	defer jobs.Close()
	results, err := matrix.AttachChannel("results", nil)
	must(err)
	defer results.Close()
	accounts := attachAccounts(os.Args[1], "accounts")
	defer accounts.close()
	reader, err := weir.OpenReader(os.Args[2], 0, 0)
	must(err)
	defer reader.Close()
	inbox, err := jobs.Subscribe()
	must(err)
	defer inbox.Close()
	fmt.Println("ready")
	for {
		message, err := inbox.Read(-1)
		if errors.Is(err, weir.ErrRetired) {
			break
		}
		must(err)
		handle(matrix, message, accounts, reader, jobs, results)
	}
	fmt.Println("done")
}
