// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

/*
#include <weir.h>
*/
import "C"

import "fmt"

// misfit is what all that makes an object returns, if the library that was loaded is older than this
// package or has another ABI. A newer one answers for the older releases too.
var misfit = libraryFits(uint32(weirVersionNumber()), uint64(weirAbiHash(VersionNumber)))

func libraryFits(version uint32, hash uint64) error {
	if version >= VersionNumber && hash == AbiHash {
		return nil
	}
	why := "which has left it behind"
	switch {
	case version < VersionNumber:
		why = "which is older"
	case hash != 0:
		why = "of another build"
	}
	return misfitError(fmt.Sprintf("weir %s is needed, and the library is weir %s, %s",
		versionText(VersionNumber), versionText(version), why))
}

func versionText(number uint32) string {
	return fmt.Sprintf("%d.%d.%d", number>>16, number>>8&255, number&255)
}

// misfitError is ErrVersion, and says both releases instead.
type misfitError string

func (e misfitError) Error() string { return string(e) }
func (misfitError) Unwrap() error   { return ErrVersion }

// LibraryVersion is the release of the library that was loaded, as in 0.1.0.
func LibraryVersion() string { return C.GoString(weirVersionString()) }

// FeatureSupported says whether this build of the library on this machine has a feature.
func FeatureSupported(feature Feature) bool {
	return weirFeatureSupported(C.weir_feature(feature)) > 0
}
