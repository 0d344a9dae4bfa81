// Package kept keeps the small blobs of images, manifests and configs, in the client's state, by their digests. In goes a daemon's content store; out comes one that asks
// the daemon for each such blob once. What is kept is believed by nobody: a blob is what its digest says, or it is as if it were not there.
//
// Start with images.go: an image by its digest. store.go is the store.
package kept
