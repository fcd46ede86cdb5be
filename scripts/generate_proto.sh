#!/usr/bin/env bash
# Writes dreamlib/pycaffe/proto/caffe_pb2.py anew from caffe.proto.
# The generator is pinned below the run-time's version: protobuf reads older generated code, never newer.
set -euo pipefail
cd "$(dirname "$0")/../dreamlib/pycaffe/proto"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet grpcio-tools==1.62.3 'setuptools<81'
"$tools/bin/python" -m grpc_tools.protoc -I. --python_out=. caffe.proto
