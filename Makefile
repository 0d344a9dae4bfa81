# Everything a developer and CI run. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := bin
CACHE := .cache
UV_VERSION := 0.13.9
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null)

# -p bounds the test binaries that run side by side: each starts its own daemon and registry.
TEST_FLAGS ?= -p 2
INTEGRATION_TIMEOUT ?= 60m
# The integration tests run in two halves side by side. This one has system packages, bases, locks, sources, trust, random rounds, and what is installed elsewhere; a test of any other name is in the other.
HALF := ^Test(Base|CUDA|Debconf|Everyday|Forged|Forgetful|Frontend|GoInstall|Hostile|Lock|Lost|Mount|OpenCV|Packages|Pinned|Plain|PyTorch|Random|Release|Repository|Reuse|Scanners|Sourc|System|Tables|TensorFlow|Triggers|Twin)

# Everything is compiled in one way, and so only once; the race detector has a way of its own.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -trimpath
race = CGO_ENABLED=1 go test -race $(TEST_FLAGS)

export PATH := $(CURDIR)/$(CACHE)/uv/bin:$(PATH)

gobuild = go build -buildvcs=false
modversion = $$(go list -m -f '{{.Version}}' $(1))

# What the tests run beside the program has module files of its own: its dependencies are not the program's.
TOOLS := integration/tools
buildtool = cd $(TOOLS)/$(1) && $(gobuild) -o $(CURDIR)/$@

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: helper tools mlbuild ## mlbuild, its helpers and the tools, into bin/

.PHONY: mlbuild
mlbuild: helper ## bin/mlbuild alone
	$(gobuild) -ldflags "-s -w -X main.linked=$(VERSION) -X main.linkedCommit=$(COMMIT)" -o $(BIN)/mlbuild ./cmd/mlbuild

.PHONY: helper
helper: ## the helper programs that mlbuild embeds, for every platform
	sh llb/helper/build.sh

.PHONY: tools
tools: $(BIN)/buildkitd $(BIN)/buildctl $(BIN)/registry $(BIN)/crane ## buildkitd, buildctl, the registry and crane, at the versions of integration/tools/testbed

$(BIN)/buildkitd $(BIN)/buildctl: $(TOOLS)/testbed/go.mod
	$(call buildtool,testbed) -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$(call modversion,github.com/moby/buildkit)" \
		github.com/moby/buildkit/cmd/$(@F)

$(BIN)/registry: $(TOOLS)/testbed/go.mod
	$(call buildtool,testbed) -ldflags "-s -w -X github.com/distribution/distribution/v3/version.version=$(call modversion,github.com/distribution/distribution/v3)" \
		github.com/distribution/distribution/v3/cmd/registry

$(BIN)/crane: $(TOOLS)/testbed/go.mod
	$(call buildtool,testbed) -ldflags "-s -w -X github.com/google/go-containerregistry/cmd/crane/cmd.Version=$(call modversion,github.com/google/go-containerregistry)" \
		github.com/google/go-containerregistry/cmd/crane

$(BIN)/golangci-lint: $(TOOLS)/lint/go.mod
	$(call buildtool,lint) -ldflags "-s -w" github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/buildx: $(TOOLS)/buildx/go.mod
	$(call buildtool,buildx) -ldflags "-s -w" github.com/docker/buildx/cmd/buildx

$(BIN)/scan: $(TOOLS)/scan/go.mod $(TOOLS)/scan/main.go
	$(call buildtool,scan) -ldflags "-s -w" .

.PHONY: testbed-deps
testbed-deps: ## what the tests need of the distribution (runc, debootstrap, docker, uv); nothing if all is there
	UV_VERSION=$(UV_VERSION) CACHE=$(CACHE) bash integration/testbed/deps.sh

.PHONY: demo
demo: build testbed-deps ## build an example's image on a daemon of our own, push it to a local registry, show it
	go run ./integration/testbed/cmd/demo

.PHONY: recordings
recordings: build testbed-deps ## the pictures of docs/progress.md, from real builds in a terminal (wants tmux and port 5000; about 8 minutes)
	go run ./integration/testbed/cmd/recordings

.PHONY: test
test: testbed-deps lint cross test-race test-integration ## everything CI runs

.PHONY: test-unit
test-unit: helper ## tests that need no daemon
	$(race) -short ./...

# What the integration tests run again without the race detector, which makes reading images back ten times slower.
.PHONY: test-race
test-race: helper
	$(race) -short ./cmd/... ./llb/... ./profiles/...

.PHONY: test-integration
test-integration: build testbed-deps $(BIN)/scan $(BIN)/buildx ## all tests, on a real buildkitd and a real registry
	$(race) -timeout $(INTEGRATION_TIMEOUT) ./builder/...
	cd $(TOOLS)/release && go test ./...
	go test $(TEST_FLAGS) -timeout $(INTEGRATION_TIMEOUT) ./cmd/... ./llb/... $$(go list ./integration/... | grep -v /integration$$)
	half=0; go test -timeout $(INTEGRATION_TIMEOUT) -run '$(HALF)' ./integration & \
	go test -timeout $(INTEGRATION_TIMEOUT) -skip '$(HALF)' ./integration || half=$$?; \
	wait $$! && exit $$half

# The systems on which mlbuild uses a daemon elsewhere.
CLIENTS := darwin/amd64 darwin/arm64 windows/amd64

.PHONY: release
release: helper ## archives, packages, a Homebrew formula and sums of this commit in dist/, the same bytes each time (VERSION=1.2.3; ONLY=linux/amd64,darwin/arm64: these alone)
	cd $(TOOLS)/release && $(gobuild) -o $(CURDIR)/$(BIN)/release .
	$(BIN)/release -root . -out dist -version "$(patsubst v%,%,$(VERSION))" -commit "$(COMMIT)" -epoch "$$(git log -1 --format=%ct)" -only "$(ONLY)"

# Of an archive that make release wrote. The packages of Debian are those of the day.
ARCH ?= amd64
.PHONY: images
images: ## dist/mlbuild-{ci,runner}-ARCH.tar: OCI images of mlbuild for CI jobs, and with buildkitd and runc, built by mlbuild itself (after make release)
	for image in ci runner; do \
		work=dist/image-$$image; rm -rf $$work; mkdir -p $$work; cp $(TOOLS)/release/images/$$image/mlbuild.yaml $$work; \
		tar -xzf dist/mlbuild-*-linux-$(ARCH).tar.gz -C $$work --strip-components 1; \
		$(BIN)/mlbuild build --platform linux/$(ARCH) -o type=oci,dest=dist/mlbuild-$$image-$(ARCH).tar $(IMAGE_FLAGS) $$work; rm -rf $$work; \
	done

.PHONY: site
site: ## docs/ as web pages in dist/site; a dead link is an error (needs uv)
	sh $(TOOLS)/site/build.sh dist/site

# The frontend of BuildKit, docs/frontend.md.
FRONTEND_PLATFORMS := amd64 arm64
.PHONY: frontend
frontend: helper ## dist/mlbuild-frontend.tar: the image that builds a mlbuild.yaml with docker buildx, for amd64 and arm64 (PUSH=REFERENCE pushes it)
	mkdir -p dist
	for arch in $(FRONTEND_PLATFORMS); do GOOS=linux GOARCH=$$arch $(gobuild) -ldflags "-s -w" -o $(BIN)/mlbuild-frontend-$$arch ./cmd/mlbuild-frontend; done
	go run ./integration/testbed/cmd/frontendimage -o dist/mlbuild-frontend.tar -push "$(PUSH)" $(foreach arch,$(FRONTEND_PLATFORMS),linux/$(arch)=$(BIN)/mlbuild-frontend-$(arch))

.PHONY: cross
cross: helper ## compile mlbuild for macOS and Windows, and what writes its man pages, and keep nothing
	$(gobuild) -tags man -o /dev/null ./cmd/mlbuild
	for system in $(CLIENTS); do GOOS=$${system%/*} GOARCH=$${system#*/} $(gobuild) -o /dev/null ./cmd/mlbuild; done

.PHONY: lint
lint: helper $(BIN)/golangci-lint ## gofmt, vet and golangci-lint
	$(BIN)/golangci-lint run ./...

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## format the Go files
	$(BIN)/golangci-lint fmt ./...

.PHONY: generate
generate: ## rebuild the helpers and pin their hashes, then go generate
	sh llb/helper/build.sh --pin
	go generate ./...

.PHONY: up
up: ## buildkitd and a registry with docker compose, on loopback
	@if docker compose version >/dev/null 2>&1; then docker compose up -d; else docker-compose up -d; fi

.PHONY: down
down: ## stop what `make up` started; the volumes stay
	@if docker compose version >/dev/null 2>&1; then docker compose down; else docker-compose down; fi

.PHONY: clean
clean: ## remove bin/, the helpers and the testbed's caches
	rm -rf $(BIN) $(CACHE) dist
	find llb/helper/bin -type f ! -name README -delete 2>/dev/null || true

.PHONY: bench
bench: build testbed-deps ## measure mlbuild beside Dockerfiles; writes docs/performance.md (BENCH=full: all, an hour; ONLY=torch,latency: these parts)
	go run ./integration/bench
