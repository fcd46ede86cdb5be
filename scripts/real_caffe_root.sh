#!/usr/bin/env bash
# Builds a Debian 11 root with real pycaffe, once, and prints where it is.
#
# It lies in $DREAM_CAFFE_ROOT, by default ~/.cache/dreamlib/caffe-root. The packages come from the
# mirror that this machine's own apt sources name. Exit status 3: it cannot be had here; the last
# line on stderr says why.
set -euo pipefail

scripts=$(cd "$(dirname "$0")" && pwd)
root=${DREAM_CAFFE_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/dreamlib/caffe-root}
root=$(realpath -m "$root")
part=$root.part # built here, moved when done
log=$root.log
stamp=.dreamlib-provisioned # in a finished root

unavailable() {
    echo "real Caffe is not to be had here: $*" >&2
    exit 3
}

# The root is what this script made, as it is now: another recipe, another root.
recipe=$(cat "$scripts/provision_caffe.sh" "$0" | sha1sum | cut -d' ' -f1)
print_if_ready() {
    if [ "$(cat "$root/$stamp" 2>/dev/null)" = "$recipe" ]; then
        echo "$root"
        exit 0
    fi
}

mirror() {
    # deb822 files and one-line ones, and the lists of mirrors that cloud images have; only Debian's
    # own archive will do.
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        sed -nE -e 's/^URIs:[[:space:]]*//p' \
            -e 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
        tr -s ' \t' '\n' |
        while read -r uri; do
            case $uri in
            mirror+file:*) sed -E 's/[[:space:]].*//' "${uri#mirror+file:}" ;;
            *) echo "$uri" ;;
            esac
        done | grep -m 1 -E '^https?:.*/debian/?$' || true
}

# A build that was killed may have left a file system mounted: never delete through it.
remove_part() {
    awk -v inside="$part/" 'index($2, inside) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r point; do umount "$point"; done
    rm -rf --one-file-system "$part"
}

[ "$(id -u)" = 0 ] || unavailable "building and entering a Debian root needs root; try sudo"
print_if_ready
if [ -e "$root" ] && [ ! -e "$root/$stamp" ] && ! rmdir "$root" 2>/dev/null; then
    unavailable "$root exists and is not a root that this script made; move it away"
fi
command -v apt-get >/dev/null || unavailable "this is no Debian machine (no apt-get)"
mkdir -p "$(dirname "$root")"
# Two builds at once: the second waits and finds the first's. What a build starts holds the lock too,
# so that nobody builds beside what a killed one has left running.
exec 9>"$root.lock"
flock 9
print_if_ready
mirror=$(mirror)
[ -n "$mirror" ] || unavailable "apt's sources name no mirror of Debian"
if ! command -v debootstrap >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq debootstrap; } >"$log" 2>&1 ||
        unavailable "debootstrap cannot be installed; see $log"
fi

echo "building a Debian 11 root with real Caffe in $root (two minutes, 1.2 GB)" >&2
remove_part
debootstrap --variant=minbase bullseye "$part" "$mirror" >"$log" 2>&1 ||
    unavailable "debootstrap failed; see $log"
# What apt needs to reach the mirror from inside: names, certificates, a proxy.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$part$file"
done
apt-config dump | grep -iE '^Acquire::https?::Proxy(::[^ ]*)? ' >"$part/etc/apt/apt.conf.d/01proxy" ||
    true
cp "$scripts/provision_caffe.sh" "$part/provision.sh"
chroot "$part" sh /provision.sh python3-hypothesis python3-pytest >>"$log" 2>&1 || unavailable "apt-get failed inside; see $log"
chroot "$part" python3 -c 'import caffe' >>"$log" 2>&1 ||
    unavailable "Caffe does not import there; see $log"
rm "$part/provision.sh"
echo "$recipe" >"$part/$stamp"
rm -rf --one-file-system "$root" # an older recipe's, until now
mv "$part" "$root"
echo "$root"
