#!/bin/sh
# Installs what dreamlib needs beside a real pycaffe that is there already. Runs as root in an image
# of Debian or Ubuntu, whose own python3, 3.9 or newer, imports caffe.
set -eu
fail() {
    echo "this base cannot dream: $*" >&2
    exit 2
}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
    fail "$(python3 --version 2>&1) found, Python 3.9 or newer is needed"
python3 -c 'import caffe' || fail "its python3 cannot import caffe"

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# What pip has put into such an image goes before apt's packages, so that nothing of Caffe's changes.
apt-get install -y -qq --no-install-recommends \
    ca-certificates \
    python3-pil \
    python3-protobuf \
    python3-scipy \
    python3-tomlkit \
    python3-tqdm
apt-get clean
rm -rf /var/lib/apt/lists/*
python3 -c 'import caffe, google.protobuf, PIL, scipy.ndimage, tomlkit, tqdm' ||
    fail "its python3 does not see the packages of its distribution"
