// Package registry is the client's own view of the registries: references and credentials in, manifests, configs and small blobs out, and tags and small
// blobs put there. It sends no request but those that it is told to, and knows nothing of builds; large layers go between daemon and registry.
//
// Start with find.go, what a reference names; requests.go has one function for each endpoint, reference.go takes references apart.
package registry
