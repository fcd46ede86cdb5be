#!/bin/sh
# Installs what dreamlib needs, PyTorch included, to the versions of constraints.txt.
#   provision.sh [INDEX [EXTRA...]]
# INDEX   where PyTorch's wheel comes from, if not from where everything else does
# EXTRA   of pyproject.toml; torch models vips films cluster if none is named
# PYTHON  into which Python; python3 if not given
set -eu
cd "$(dirname "$0")/../.."
index=${1:-}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- torch models vips films cluster
pip_install() {
    "${PYTHON:-python3}" -m pip install --no-cache-dir --disable-pip-version-check \
        --root-user-action=ignore --constraint constraints.txt "$@"
}
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
"${PYTHON:-python3}" docker/requirements.py "$@" >"$requirements"
# The wheel alone: an index of PyTorch's holds few versions of what it needs.
[ -z "$index" ] || pip_install --no-deps --index-url "$index" torch
pip_install --requirement "$requirements"
