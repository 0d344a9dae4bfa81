// Package layerplan decides which wheel and which system package goes into which layer of an image. Wheels and packages with their sizes, and
// the budget of layers come in; layers in their order come out. It knows no BuildKit and makes nothing.
//
// Start with plan.go for wheels; debplan.go has the system packages, why.go the reason of each layer for "mlbuild plan".
package layerplan
