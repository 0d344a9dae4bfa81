// Package yamldoc reads strict YAML: bytes in, a tree of nodes with places out, and every fault with its line, column and snippet. It knows
// nothing of what the keys mean; package profiles does.
//
//	Read(file, data, *Report) → *Node → Decoder → String, Number, Pair
//
// Start with node.go. report.go collects faults; mask.go keeps secrets out of what they quote.
package yamldoc
