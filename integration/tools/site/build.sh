#!/bin/sh
# Builds the site of docs/: build.sh OUT. A warning, such as a link to a page or heading that is not there, is an error. Needs uv.
set -eu
tool=$(cd "$(dirname "$0")" && pwd)
command -v uv >/dev/null || { echo "the site needs uv, which make testbed-deps installs" >&2; exit 1; }
rm -rf "$1"
uv run --quiet --isolated --no-project --with-requirements "$tool/requirements.txt" \
	sphinx-build --quiet --fail-on-warning --keep-going --builder html --conf-dir "$tool" --doctree-dir "$1/.doctrees" "$tool/../../../docs" "$1"
rm -rf "$1/.doctrees"
