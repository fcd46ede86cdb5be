#!/usr/bin/env bash
# Makes a virtual environment and installs the project with pinned dependencies, checked by their hashes.
#   scripts/setup.sh [VENV]
# TORCH_INDEX is where PyTorch's build comes from, if not from where everything else does: install.py.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3}

say() { echo "setup: $*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "$("$python" --version) found, Python 3.11 or newer is needed; try: make setup PYTHON=python3.11"
    exit 2
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv, which Debian keeps apart"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        say "this Python has no venv; run: sudo apt-get install python3-venv"
        exit 2
    fi
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
say "installing dependencies into $venv"
"$venv/bin/python" scripts/install.py --editable ${TORCH_INDEX:+--torch-index "$TORCH_INDEX"} \
    torch models vips notebook films cluster dev
say "done"
