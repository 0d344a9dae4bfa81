// Package rows makes of a build daemon's status what people want to know of a build: events of BuildKit come in, with the time at which they arrived, rows go out, one for each thing that goes on,
// and lines of text of a given width. It draws nothing and reads no clock. Begin at board.go; kinds.go has the rows that there are, frame.go how they are written.
package rows
