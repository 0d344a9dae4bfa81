package script

// status is the exit status of a command as far as it is known.
type status int

const (
	yes status = iota // 0
	no                // something else
	unknown
)

func statusOf(ok bool) status {
	if ok {
		return yes
	}
	return no
}

func (s status) not() status {
	switch s {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

// exit ends a script, ret a function.
type (
	exit struct{ status status }
	ret  struct{ status status }
)

func (exit) Error() string { return "exit" }
func (ret) Error() string  { return "return" }
