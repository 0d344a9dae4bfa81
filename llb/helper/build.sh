#!/bin/sh
# Builds the helper programs for every platform into llb/helper/bin, byte for byte the same on every machine. What is compiled is their code alone
# (see llb/helper/plain): comments, blank lines and the names of files do not count.
#   build.sh            build
#   build.sh --pin      build, and write the sums of what was built to sha256sums
set -eu

cd "$(dirname "$0")/../.."
here=llb/helper
programs="mlbuild-unpack mlbuild-unpack-deb mlbuild-step mlbuild-check"
export GOTOOLCHAIN="go$(sed -n 's/^go //p' go.mod)" GOWORK=off GOFLAGS= GOEXPERIMENT= GOFIPS140=off GODEBUG= CGO_ENABLED=0

plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
env GOOS= GOARCH= go build -mod=readonly -buildvcs=false -o "$plain/mlbuild-plain" ./cmd/mlbuild-plain
for arch in amd64 arm64; do
	export GOOS=linux GOARCH=$arch GOAMD64=v1 GOARM64=v8.0
	"$plain/mlbuild-plain" "$plain/$arch" $(printf './cmd/%s ' $programs)
	for program in $programs; do
		go build -mod=readonly -trimpath -buildvcs=false -pgo=off -ldflags "-s -w -buildid=" -overlay "$plain/$arch/overlay.json" \
			-o "$here/bin/$program-linux-$arch" ./cmd/$program
	done
done

(cd "$here/bin" && sha256sum mlbuild-unpack-linux-* mlbuild-unpack-deb-linux-* mlbuild-step-linux-* mlbuild-check-linux-* >sha256sums)
if [ "${1-}" = --pin ]; then
	cp "$here/bin/sha256sums" "$here/sha256sums"
fi
