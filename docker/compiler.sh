#!/bin/sh
# Installs a C compiler where there is Triton, which PyTorch's builds for CUDA bring: it links its kernels by one.
set -eu
if ! python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("triton") is None)'; then
    exit 0
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev
apt-get clean
rm -rf /var/lib/apt/lists/*
