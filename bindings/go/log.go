// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <errno.h>
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Log is a log that this process writes. Any goroutine may use it.
type Log struct{ handle }

// OpenLog opens a log, recovers what a crash left, or makes it. Nil means all defaults.
func OpenLog(folder string, options *LogOptions) (*Log, error) {
	if misfit != nil {
		return nil, misfit
	}
	text, err := cString(folder)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	code, raw := weirLogOpen(text, options.raw())
	if err := fails(code); err != nil {
		return nil, err
	}
	l := &Log{newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) { weirLogClose((*C.struct_weir_log)(raw)) })}
	runtime.SetFinalizer(l, (*Log).Close)
	return l, nil
}

// Close writes what was appended, and ends it; the second time nothing happens. Who waits in another
// goroutine is woken. When it returns the library has let go of the log.
func (l *Log) Close() error {
	if l == nil {
		return errNil
	}
	if err := l.close(); err != nil {
		return err
	}
	<-l.released // no call of a log calls back, so all come to their end
	return nil
}

func (l *Log) enter() (*C.struct_weir_log, error) {
	if l == nil {
		return nil, errNil
	}
	raw, err := l.handle.enter()
	return (*C.struct_weir_log)(raw), err
}

func (l *Log) with(call func(*C.struct_weir_log) C.int) error {
	raw, err := l.enter()
	if err != nil {
		return err
	}
	code := call(raw)
	l.leave()
	runtime.KeepAlive(l)
	return fails(code)
}

// Append gives a record its position. It is copied before the call returns.
func (l *Log) Append(record []byte) (lsn uint64, err error) {
	err = l.with(func(raw *C.struct_weir_log) C.int {
		var data unsafe.Pointer
		if len(record) > 0 {
			data = unsafe.Pointer(&record[0])
		}
		code, at := weirLogAppend(raw, data, C.size_t(len(record)))
		lsn = uint64(at)
		return code
	})
	return lsn, err
}

// TryAppend appends a record if there is room at once; syscall.EAGAIN if there is not.
func (l *Log) TryAppend(record []byte) (lsn uint64, err error) {
	err = l.with(func(raw *C.struct_weir_log) C.int {
		var data unsafe.Pointer
		if len(record) > 0 {
			data = unsafe.Pointer(&record[0])
		}
		code, at := weirLogTryAppend(raw, data, C.size_t(len(record)))
		lsn = uint64(at)
		return code
	})
	return lsn, err
}

// AppendParts appends one record that is put together from pieces, with a tag from 0 to 65535.
func (l *Log) AppendParts(tag uint32, pieces ...[]byte) (lsn uint64, err error) {
	return l.appendAll(weirLogAppendv, tag, pieces)
}

// AppendBatch appends all records or none, with the same tag; the position of the last one.
func (l *Log) AppendBatch(tag uint32, records ...[]byte) (lsn uint64, err error) {
	return l.appendAll(weirLogAppendBatch, tag, records)
}

// mostParts is what the library takes at once.
const mostParts = 1024

type appender func(*C.struct_weir_log, *C.struct_weir_log_part, C.size_t) (C.int, C.uint64_t)

// appendAll copies the pieces: no memory of Go's that has pointers to such memory may go to C.
func (l *Log) appendAll(call appender, tag uint32, pieces [][]byte) (lsn uint64, err error) {
	if l == nil {
		return 0, errNil
	}
	if len(pieces) == 0 || len(pieces) > mostParts {
		return 0, Error(C.EINVAL)
	}
	parts := (*C.struct_weir_log_part)(C.calloc(C.size_t(len(pieces)), C.sizeof_struct_weir_log_part))
	defer C.free(unsafe.Pointer(parts))
	data := C.CBytes(bytes.Join(pieces, nil))
	defer C.free(data)
	array, at := unsafe.Slice(parts, len(pieces)), data
	for i, piece := range pieces {
		array[i].data, array[i].len, array[i].tag = at, C.size_t(len(piece)), C.uint32_t(tag)
		at = unsafe.Add(at, len(piece))
	}
	err = l.with(func(raw *C.struct_weir_log) C.int {
		code, last := call(raw, parts, C.size_t(len(pieces)))
		lsn = uint64(last)
		return code
	})
	return lsn, err
}

// Wait returns when a record survives a power cut. A negative timeout is for ever.
func (l *Log) Wait(lsn uint64, timeout time.Duration) error {
	return waiting(timeout, func(timeout time.Duration) error {
		return l.with(func(raw *C.struct_weir_log) C.int {
			return weirLogWait(raw, C.uint64_t(lsn), nanoseconds(timeout))
		})
	})
}

// WaitContext waits until a record survives a power cut, the context ends or the log is closed. It
// takes no thread meanwhile.
func (l *Log) WaitContext(ctx context.Context, lsn uint64) error {
	if l == nil {
		return errNil
	}
	return l.await(ctx, l.fd, func() error { return l.Wait(lsn, 0) })
}

// fd becomes readable whenever more is durable. The poller is told of each time, so nobody resets it.
func (l *Log) fd() (fd int, err error) {
	err = l.with(func(raw *C.struct_weir_log) C.int {
		code := weirLogFd(raw)
		fd = int(code)
		return code
	})
	return fd, err
}

// Sync returns when all that was appended survives a power cut.
func (l *Log) Sync() error {
	return l.with(func(raw *C.struct_weir_log) C.int { return weirLogSync(raw) })
}

// Durable is the position below which every record survives a power cut; 0 of a closed log.
func (l *Log) Durable() (lsn uint64) {
	_ = l.with(func(raw *C.struct_weir_log) C.int { lsn = uint64(weirLogDurable(raw)); return 0 })
	return lsn
}

// Tail is the position of the next record; 0 of a closed log.
func (l *Log) Tail() (lsn uint64) {
	_ = l.with(func(raw *C.struct_weir_log) C.int { lsn = uint64(weirLogTail(raw)); return 0 })
	return lsn
}

// Err is what ended the log, if something did; ErrClosed of a closed log.
func (l *Log) Err() error {
	return l.with(func(raw *C.struct_weir_log) C.int { return -C.int(weirLogError(raw)) })
}

// TruncateBefore gives the space of records below a position back.
func (l *Log) TruncateBefore(lsn uint64) error {
	return l.with(func(raw *C.struct_weir_log) C.int { return weirLogTruncateBefore(raw, C.uint64_t(lsn)) })
}

// Stats gives counters, the backend, and what recovery found.
func (l *Log) Stats() (LogInfo, error) {
	info := C.struct_weir_log_info{size: C.sizeof_struct_weir_log_info}
	err := l.with(func(raw *C.struct_weir_log) C.int { return weirLogStats(raw, &info) })
	return logInfoOf(&info), err
}

// Record is a copy of what was appended.
type Record struct {
	Lsn      uint64
	Tag      uint32
	Data     []byte
	AfterGap bool
}

// Reader reads a log in any process. One goroutine at a time uses it; others wait, as long as that does.
type Reader struct {
	handle
	turn sync.Mutex // the library wants one thread at a time, until what it shows was copied
}

// OpenReader begins with the first record at or after a position; 0 is the oldest one.
func OpenReader(folder string, fromLsn uint64, flags ReaderFlags) (*Reader, error) {
	if misfit != nil {
		return nil, misfit
	}
	text, err := cString(folder)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	code, raw := weirLogReaderOpen(text, C.uint64_t(fromLsn), C.weir_reader_flags(flags))
	if err := fails(code); err != nil {
		return nil, err
	}
	r := &Reader{handle: newHandle(unsafe.Pointer(raw), func(raw unsafe.Pointer) {
		weirLogReaderClose((*C.struct_weir_log_reader)(raw))
	})}
	runtime.SetFinalizer(r, (*Reader).Close)
	return r, nil
}

// Close ends it; the second time nothing happens. Who waits in another goroutine is woken.
func (r *Reader) Close() error {
	if r == nil {
		return errNil
	}
	return r.close()
}

func (r *Reader) enter() (*C.struct_weir_log_reader, error) {
	if r == nil {
		return nil, errNil
	}
	raw, err := r.handle.enter()
	return (*C.struct_weir_log_reader)(raw), err
}

func (r *Reader) with(call func(*C.struct_weir_log_reader) C.int) (int, error) {
	raw, err := r.enter()
	if err != nil {
		return 0, err
	}
	defer r.leave()
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.closed() { // while others had their turn
		return 0, ErrClosed
	}
	return check(call(raw))
}

// Next gives the next record, or nil if there is none now.
func (r *Reader) Next() (*Record, error) {
	record := &Record{}
	found, err := r.with(func(raw *C.struct_weir_log_reader) C.int {
		code, data, size, lsn, tag := weirLogReaderNext(raw)
		if code > 0 {
			record.Lsn, record.Tag, record.AfterGap = uint64(lsn), uint32(tag), code == 2
			record.Data = append([]byte{}, unsafe.Slice((*byte)(data), int(size))...)
		}
		return code
	})
	if err != nil || found == 0 {
		return nil, err
	}
	return record, nil
}

// Wait returns when Next has something to say. A negative timeout is for ever.
func (r *Reader) Wait(timeout time.Duration) error { return waiting(timeout, r.wait) }

func (r *Reader) wait(timeout time.Duration) error {
	_, err := r.with(func(raw *C.struct_weir_log_reader) C.int {
		return weirLogReaderWait(raw, nanoseconds(timeout))
	})
	return err
}

// NextContext waits for the next record, or until the context ends.
func (r *Reader) NextContext(ctx context.Context) (record *Record, err error) {
	if ctx == nil {
		return nil, errNil
	}
	for {
		if record, err = r.Next(); record != nil || err != nil {
			return record, err
		}
		if err = inSlices(ctx, -1, r.wait); err != nil {
			return nil, err
		}
	}
}

// Seek goes to the first record at or after a position.
func (r *Reader) Seek(lsn uint64) error {
	_, err := r.with(func(raw *C.struct_weir_log_reader) C.int {
		return weirLogReaderSeek(raw, C.uint64_t(lsn))
	})
	return err
}
