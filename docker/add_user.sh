#!/bin/sh
# Makes the user that dreams run as, and the folders that they use. Runs as root in an image.
set -eu
# The number that a desktop's first user has, so that dreams in a mounted folder are theirs. A base
# may have given it away already.
useradd --uid 1000 --non-unique --user-group --no-create-home --home-dir /var/cache/dreamlib \
    --shell /usr/sbin/nologin dream
install -d -o dream -g dream /pictures
install -d /models
# $HOME, where caches go: whoever docker run --user names may write there.
install -d -m 1777 /var/cache/dreamlib
