package script

import (
	"slices"
	"strconv"
)

// test is [ … ] and test: strings, numbers, files, joined by ! -a -o.
func test(s *system, args []string) (status, error) {
	if args[0] == "[" {
		if args[len(args)-1] != "]" {
			return unknown, refuse("a [ without ]")
		}
		args = args[:len(args)-1]
	}
	return testAny(s, args[1:])
}

func testAny(s *system, args []string) (status, error) {
	if i := slices.Index(args, "-o"); i > 0 && i < len(args)-1 && len(args) > 3 {
		left, err := testAny(s, args[:i])
		if err != nil || left == yes {
			return left, err
		}
		return testAny(s, args[i+1:])
	}
	if i := slices.Index(args, "-a"); i > 0 && i < len(args)-1 && len(args) > 3 {
		left, err := testAny(s, args[:i])
		if err != nil || left == no {
			return left, err
		}
		return testAny(s, args[i+1:])
	}
	return testOne(s, args)
}

func testOne(s *system, args []string) (status, error) {
	switch {
	case len(args) == 0:
		return no, nil
	case len(args) == 1:
		return statusOf(args[0] != ""), nil
	case len(args) == 3 && args[0] != "!":
		return testTexts(args[0], args[1], args[2])
	case args[0] == "!":
		st, err := testOne(s, args[1:])
		return st.not(), err
	case len(args) != 2:
		return unknown, refuse("a test of an unknown form")
	}
	switch args[0] {
	case "-n":
		return statusOf(args[1] != ""), nil
	case "-z":
		return statusOf(args[1] == ""), nil
	case "-t":
		return no, nil
	}
	return s.test(args[0], args[1])
}

// testTexts compares texts or numbers.
func testTexts(left, op, right string) (status, error) {
	switch op {
	case "=", "==":
		return statusOf(left == right), nil
	case "!=":
		return statusOf(left != right), nil
	}
	a, err1 := strconv.Atoi(left)
	b, err2 := strconv.Atoi(right)
	if err1 == nil && err2 == nil {
		switch op {
		case "-eq":
			return statusOf(a == b), nil
		case "-ne":
			return statusOf(a != b), nil
		case "-gt":
			return statusOf(a > b), nil
		case "-ge":
			return statusOf(a >= b), nil
		case "-lt":
			return statusOf(a < b), nil
		case "-le":
			return statusOf(a <= b), nil
		}
	}
	return unknown, refuse("a test with %s", op)
}
