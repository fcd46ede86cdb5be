#!/usr/bin/env bash
# Builds a Debian 11 root with real pycaffe, once, and prints where it is.
#
# It lies in $DREAM_CAFFE_ROOT, by default ~/.cache/dreamlib/caffe-root. The packages come from the
# mirror that this machine's own apt sources name. Exit status 3: it cannot be built here; the last
# line on stderr says why.
set -euo pipefail

scripts=$(cd "$(dirname "$0")" && pwd)
root=${DREAM_CAFFE_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/dreamlib/caffe-root}
stamp=$root/.dreamlib-provisioned
log=$root.log

unavailable() {
    echo "real Caffe is not to be had here: $*" >&2
    exit 3
}

# The root is what this script made, as it is now: another recipe, another root.
recipe=$(cat "$scripts/provision_caffe.sh" "$0" | sha1sum | cut -d' ' -f1)
is_ready() { [ "$(cat "$stamp" 2>/dev/null)" = "$recipe" ]; }

mirror() {
    # deb822 files and one-line ones; only Debian's own archive will do.
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE -e 's/^URIs:[[:space:]]*//p' \
            -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
        tr ' ' '\n' | grep -m 1 -E '/debian/?$' || true
}

[ "$(id -u)" = 0 ] || unavailable "building and entering a Debian root needs root; try sudo"
if is_ready; then
    echo "$root"
    exit 0
fi
command -v apt-get >/dev/null || unavailable "this is no Debian machine (no apt-get)"
mkdir -p "$(dirname "$root")"
exec 9>"$root.lock"
flock 9 # two builds at once: the second waits and finds the first's
if is_ready; then
    echo "$root"
    exit 0
fi
mirror=$(mirror)
[ -n "$mirror" ] || unavailable "apt's sources name no mirror of Debian"
if ! command -v debootstrap >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq debootstrap; } >"$log" 2>&1 9>&- ||
        unavailable "debootstrap cannot be installed; see $log"
fi

echo "building a Debian 11 root with real Caffe in $root (two minutes, 1.2 GB)" >&2
part=$root.part
rm -rf "$part" "$root"
debootstrap --variant=minbase bullseye "$part" "$mirror" >"$log" 2>&1 9>&- ||
    unavailable "debootstrap failed; see $log"
# What apt needs to reach the mirror from inside: names, certificates, a proxy.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$part$file"
done
apt-config dump | grep -iE '^Acquire::(http|https)::Proxy' >"$part/etc/apt/apt.conf.d/01proxy" || true
cp "$scripts/provision_caffe.sh" "$part/provision.sh"
chroot "$part" sh /provision.sh >>"$log" 2>&1 9>&- || unavailable "apt-get failed inside; see $log"
chroot "$part" python3 -c 'import caffe' >>"$log" 2>&1 9>&- ||
    unavailable "Caffe does not import there; see $log"
rm "$part/provision.sh"
mv "$part" "$root"
echo "$recipe" >"$stamp"
echo "$root"
