package script

// Limits on following the scripts of a package: they may loop, call themselves, and make values of values. What real
// packages need is far below each; a package that goes beyond one goes the dpkg way.
const (
	maxScript = 128 << 10 // bytes of a script: the parser's stack grows with each bracket
	maxSteps  = 20000     // statements, assignments, and arguments of commands
	maxDepth  = 40        // function calls and subshells in one another
	maxValue  = 64 << 10  // bytes of one value or argument
	maxText   = 8 << 20   // bytes of all values and arguments together
	maxMatch  = 128 << 20 // bytes of patterns times bytes of what is held against them
	maxReason = 500       // bytes of what is said of a command
)

// budget is what following the scripts of a package took so far.
type budget struct{ steps, text, match int }

// step counts statements or arguments.
func (b *budget) step(n int) error {
	if b.steps += n; b.steps > maxSteps {
		return refuse("the script is too long to follow")
	}
	return nil
}

// add counts bytes that are added to a value of this size, and returns its new size.
func (b *budget) add(size, more int) (int, error) {
	b.text += more
	switch size += more; {
	case size > maxValue:
		return size, refuse("a value of more than %d bytes", maxValue)
	case b.text > maxText:
		return size, refuse("its values have more than %d bytes together", maxText)
	}
	return size, nil
}

// hold counts a text that is held against a pattern.
func (b *budget) hold(pattern, text int) error {
	if b.match += pattern * (text + 1); b.match > maxMatch {
		return refuse("its patterns take too long")
	}
	return nil
}

// compile counts a pattern that is made ready: as if it was held against a page of text.
func (b *budget) compile(pattern int) error { return b.hold(pattern+1, 4<<10) }
