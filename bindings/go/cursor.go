// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <stdlib.h>
#include <weir.h>
*/
import "C"

import "unsafe"

// inFolder calls with strings of C.
func inFolder(folder, name string, call func(folder, name *C.char) C.int) (int, error) {
	if misfit != nil {
		return 0, misfit
	}
	first, err := cString(folder)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(first))
	second, err := cString(name)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(second))
	return check(call(first, second))
}

// StoreCursor stores a named position of a log durably; any process may.
func StoreCursor(folder, name string, lsn uint64, flags CursorFlags) error {
	_, err := inFolder(folder, name, func(folder, name *C.char) C.int {
		return weirLogCursorStore(folder, name, C.uint64_t(lsn), C.weir_cursor_flags(flags))
	})
	return err
}

// LoadCursor reads a named position of a log.
func LoadCursor(folder, name string) (lsn uint64, err error) {
	_, err = inFolder(folder, name, func(folder, name *C.char) C.int {
		code, found := weirLogCursorLoad(folder, name)
		lsn = uint64(found)
		return code
	})
	return lsn, err
}

// Verify reads all of a log; the report's Verdict says how it is.
func Verify(folder string) (LogReport, error) {
	report := C.struct_weir_log_report{size: C.sizeof_struct_weir_log_report}
	_, err := inFolder(folder, "", func(folder, _ *C.char) C.int { return weirLogVerify(folder, &report) })
	return logReportOf(&report), err
}

// Repair makes a log that cannot be opened one that can; whether there was something to do. With a
// target, what is whole is copied to a new log there instead. Nil means all defaults.
func Repair(folder, target string, options *LogOptions) (done bool, report LogReport, err error) {
	found := C.struct_weir_log_report{size: C.sizeof_struct_weir_log_report}
	code, err := inFolder(folder, target, func(folder, copied *C.char) C.int {
		if target == "" {
			copied = nil
		}
		return weirLogRepair(folder, copied, options.raw(), &found)
	})
	return code == 1, logReportOf(&found), err
}
