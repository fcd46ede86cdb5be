#!/bin/sh
# Fetch a model's published weights: fetch_model.sh NAME [FOLDER], or --help.
# Runs fetch_model.py on $DREAM_PYTHON, else on what `make setup` installed, else on python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${DREAM_PYTHON:-$here/../.venv/bin/python}
command -v "$python" >/dev/null 2>&1 || python=python3
exec "$python" "$here/fetch_model.py" "$@"
