package report

import (
	"fmt"
	"strconv"
)

// seconds prints with about three digits.
func seconds(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// size prints bytes in kB, MB or GB (powers of ten).
func size(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1e6:
		return fmt.Sprintf("%.1f kB", v/1e3)
	case v < 1e8:
		return fmt.Sprintf("%.1f MB", v/1e6)
	}
	if v < 1e10 {
		return fmt.Sprintf("%.0f MB", v/1e6)
	}
	return fmt.Sprintf("%.1f GB", v/1e9)
}

// times prints how many times faster than the other a contender is; below 1 it is slower.
func times(other, own float64) string {
	if other <= 0 || own <= 0 {
		return "–"
	}
	ratio := other / own
	if ratio >= 10 {
		return fmt.Sprintf("%.0f×", ratio)
	}
	return fmt.Sprintf("%.2f×", ratio)
}
