#!/bin/sh
# Fetch BVLC's GoogLeNet weights (53 MB): fetch_model.sh bvlc_googlenet [FOLDER]
exec "$(dirname "$0")/fetch_model.sh" bvlc_googlenet "$@"
