// Package publish brings an image to its outputs.
//
// In go the options of one profile's image, its compiled graphs, and what the registry holds (RemoteState). Out come the exporters that BuildKit runs
// (Options.Entries), a Plan, and after the export a Route: who pushes what, and why, in a sentence. Deciding reads values alone (strategy.go); a Publisher
// carries it out.
//
// What lies in a registry is taken for what it says only where a record that is believed confirms it (beliefs.go, docs/trust.md).
//
// Start with strategy.go: Decide, before anything is exported, and Plan.Route, once the digest is known. output.go has a row for each kind of output,
// publish.go is what happens after the export, registrycache.go the cache beside the image.
package publish
