package ops

import (
	"io/fs"
	"strconv"

	bkllb "github.com/moby/buildkit/client/llb"
)

// Chmod makes files readable for all and keeps what was executable so, unless the rule names a mode. A mode without x is written in
// symbols, because a number is given to directories too and nobody could enter them.
func Chmod(mode string) *bkllb.ChmodOpt {
	bits, err := strconv.ParseUint(mode, 8, 32)
	switch {
	case err != nil:
		return &bkllb.ChmodOpt{ModeStr: "u=rwX,go=rX"}
	case bits&0o111 != 0:
		return &bkllb.ChmodOpt{Mode: fs.FileMode(bits) & fs.ModePerm}
	}
	symbols := []string{"", "X", "wX", "wX", "rX", "rX", "rwX", "rwX"}
	return &bkllb.ChmodOpt{ModeStr: "u=" + symbols[bits>>6&7] + ",g=" + symbols[bits>>3&7] + ",o=" + symbols[bits&7]}
}
