#!/bin/sh
# Builds the helper programs for every platform into llb/helper/bin, byte for byte the same on every machine (see cmd/mlbuild-helpers).
#   build.sh            build
#   build.sh --pin      build, and write the sums of what was built to sha256sums
set -eu

cd "$(dirname "$0")/../.."
here=llb/helper
export GOTOOLCHAIN="go$(sed -n 's/^go //p' go.mod)" GOWORK=off GOFLAGS= GOEXPERIMENT= GOFIPS140=off GODEBUG= CGO_ENABLED=0

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
env GOOS= GOARCH= go build -mod=readonly -buildvcs=false -o "$tools/mlbuild-helpers" ./cmd/mlbuild-helpers
"$tools/mlbuild-helpers" "$here/bin"
if [ "${1-}" = --pin ]; then
	cp "$here/bin/sha256sums" "$here/sha256sums"
fi
