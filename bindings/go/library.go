// SPDX-License-Identifier: MIT OR Apache-2.0

package weir

import "fmt"

// misfit is what all that makes an object returns, if the library that was loaded is older than this
// package or has another ABI. A newer one answers for the older releases too.
var misfit = libraryFits(uint32(weirVersionNumber()), uint64(weirAbiHash(VersionNumber)))

func libraryFits(version uint32, hash uint64) error {
	if version >= VersionNumber && hash == AbiHash {
		return nil
	}
	return fmt.Errorf("weir: the library is %s, whose ABI is not that of %s: %w",
		versionText(version), versionText(VersionNumber), ErrVersion)
}

func versionText(number uint32) string {
	return fmt.Sprintf("%d.%d.%d", number>>16, number>>8&255, number&255)
}
