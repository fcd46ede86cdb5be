#!/bin/sh
# Installs real pycaffe and what dreamlib needs beside it. Runs as root inside Debian 11 (bullseye):
# in the root that real_caffe_root.sh builds, and in docker/caffe-cpu's image.
#   provision_caffe.sh [MORE PACKAGES]
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# tornado: what distributed talks by, and does not name.
# libopenblas0-pthread: with the reference BLAS, apt's default, Caffe is ten times slower.
apt-get install -y -qq --no-install-recommends \
    ca-certificates \
    libopenblas0-pthread \
    python3-caffe \
    python3-distributed \
    python3-pil \
    python3-scipy \
    python3-tomlkit \
    python3-tornado \
    python3-tqdm \
    "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
