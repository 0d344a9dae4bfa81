#!/bin/sh
# Builds the helper programs for every platform into llb/helper/bin, byte for byte the same on every machine.
#   build.sh            build
#   build.sh --pin      build, and write the sums of what was built to sha256sums
set -eu

cd "$(dirname "$0")/../.."
here=llb/helper
toolchain=go$(sed -n 's/^go //p' go.mod)

for program in mlbuild-unpack mlbuild-unpack-deb mlbuild-step; do
	for arch in amd64 arm64; do
		env GOTOOLCHAIN="$toolchain" GOWORK=off GOFLAGS= GOEXPERIMENT= GOFIPS140=off GODEBUG= \
			CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOAMD64=v1 GOARM64=v8.0 \
			go build -mod=readonly -trimpath -buildvcs=false -pgo=off -ldflags "-s -w -buildid=" \
			-o "$here/bin/$program-linux-$arch" ./cmd/$program
	done
done

(cd "$here/bin" && sha256sum mlbuild-unpack-linux-* mlbuild-unpack-deb-linux-* mlbuild-step-linux-* >sha256sums)
if [ "${1-}" = --pin ]; then
	cp "$here/bin/sha256sums" "$here/sha256sums"
fi
