// Package checkstep makes the vertices that check an image: the image so far and what the program mlbuild-check is told come in, the layer that says that the check was passed comes out.
//
// Start with checkstep.go. image.go checks an image that is there already, whoever made it.
package checkstep
