#!/usr/bin/env bash
# Makes a sky and dreams it: out/clouds.png, out/demo.png.
#   scripts/demo.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
mkdir -p out
"$python" -m dreamlib.imaging.samples clouds out/clouds.png --size 1024x576 --seed 1
"$python" dream.py out/clouds.png out/demo.png --seed 1
