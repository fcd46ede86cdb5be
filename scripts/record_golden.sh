#!/usr/bin/env bash
# Records what real Caffe answers: to tests/real_caffe/cases.py in tests/golden/caffe.npz, and of trained
# GoogLeNet in googlenet.npz (needs its weights, and the notebook's photographs in $DREAMLIB_IMAGES).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
mkdir -p tests/golden
"$python" -m tests.real_caffe.record tests/golden/caffe.npz
"$python" -m tests.real_caffe.trained tests/golden/googlenet.npz
