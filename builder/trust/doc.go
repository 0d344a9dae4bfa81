// Package trust says what a build believes of layers that others have made.
//
// A layer's key is the digest of what it is made from (llb.Graph.LayerKeys). Which blob such a layer is, a registry must not decide: whoever may push a branch image
// would decide what a release holds. A Record says it, and is believed for one of two reasons: it lies in this client's own state and is about the
// daemon that builds (Local), or it is signed with a key that the user named (Key). In come PEM files and records, out come records and signatures; nothing here asks a
// registry. Start with record.go. docs/trust.md has the model on one page.
package trust
