#!/usr/bin/env bash
# Pictures the studio's pages anew for docs/studio.md, by running the browser's tests.
#   scripts/studio_pictures.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
STUDIO_PICTURES=$PWD/docs/pictures exec "${1:-.venv/bin/python}" -m pytest -q tests/studio/test_browser.py
