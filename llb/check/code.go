package check

import "github.com/mlbuild/mlbuild/profiles/fault"

// Code is that of an image which was run where it was built, and does not work. It does not stand among the others, because what changes their package changes the bytes of the
// programs that unpack packages, and with them the keys of all their layers.
const Code fault.Code = "E-CHECK"
