#!/usr/bin/env bash
# Installs what the testbed needs from the distribution (Debian or Ubuntu), and uv; does nothing when
# all is there. UV_VERSION is the version of uv, CACHE the directory that keeps it.
set -euo pipefail

packages=()
PATH=$PATH:/usr/sbin:/sbin
need() { # command, its packages
	command -v "$1" >/dev/null 2>&1 || packages+=("${@:2}")
}
need gcc gcc libc6-dev # for the race detector
need git git
need ssh openssh-client # git by ssh
need runc runc
need debootstrap debootstrap
need rootlesskit rootlesskit
need newuidmap uidmap
need dockerd docker.io
need docker-compose docker-compose
if grep -qs '^ID=debian' /etc/os-release; then need chromium chromium; fi # looks at reports; Ubuntu has it as a snap alone
command -v uv >/dev/null 2>&1 || python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "the testbed needs packages that only root can install: apt-get install ${packages[*]}" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install -y --no-install-recommends ca-certificates "${packages[@]}"
fi

if ! command -v uv >/dev/null 2>&1; then
	python3 -m pip install --quiet --target "$CACHE/uv" "uv==$UV_VERSION"
fi
