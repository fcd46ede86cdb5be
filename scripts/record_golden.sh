#!/usr/bin/env bash
# Records what real Caffe answers to tests/real_caffe/cases.py: tests/golden/caffe.npz.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
mkdir -p tests/golden
"$python" -m tests.real_caffe.record tests/golden/caffe.npz
