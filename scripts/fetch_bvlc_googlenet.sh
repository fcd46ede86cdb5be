#!/bin/sh
# Fetch BVLC's GoogLeNet weights (53 MB) into models/bvlc_googlenet/.
#
#   scripts/fetch_bvlc_googlenet.sh [FOLDER]
#
# FOLDER           where bvlc_googlenet.caffemodel goes; models/bvlc_googlenet if not given
# DREAM_MODEL_URL  a mirror of the file, instead of the address in model.toml
# DREAM_MODEL_SHA1 its SHA-1, for a mirror that holds other weights of the same network
#
# A download that was cut goes on where it stopped (FILE.part). The file is moved into place only
# when its checksum is right. Exit code: 0 it is there, 2 it is not (the message says what to do).
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
toml=$here/models/bvlc_googlenet/model.toml
value_of() { sed -n "s/^$1 *= *\"\\([^\"]*\\)\".*/\\1/p" "$toml"; }

folder=${1:-$here/models/bvlc_googlenet}
url=${DREAM_MODEL_URL:-$(value_of source)}
expected=$(printf %s "${DREAM_MODEL_SHA1:-$(value_of sha1)}" | tr A-F a-f)
file=$folder/bvlc_googlenet.caffemodel
part=$file.part

say() { printf '%s\n' "$*"; }
fail() {
    for line in "$@"; do printf '%s\n' "$line" >&2; done
    exit 2
}
sha1_of() {
    if command -v sha1sum >/dev/null 2>&1; then sha1sum <"$1"; else shasum <"$1"; fi | cut -d' ' -f1
}
size_of() { wc -c <"$1" | tr -d ' '; }
verified() { [ -f "$1" ] && [ "$(sha1_of "$1")" = "$expected" ]; }

if [ $# -gt 1 ] || [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    [ $# -gt 1 ] && exit 2
    exit 0
fi
case $expected in
    *[!0-9a-f]* | '') fail "DREAM_MODEL_SHA1: '$expected' is no SHA-1; expected 40 digits 0-9a-f" ;;
esac
[ ${#expected} -eq 40 ] || fail "DREAM_MODEL_SHA1: '$expected' has ${#expected} digits; a SHA-1 has 40"

if verified "$file"; then
    say "$file is there already, checksum right"
    exit 0
fi
mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] ||
    fail "cannot write into $folder; give a folder of your own: $0 FOLDER"

# Sets `reason`: why the download failed, empty if it did not. The exit codes are those of curl's
# manual; wget has fewer, so what it says is read, too.
download() {
    if command -v curl >/dev/null 2>&1; then
        progress=-sS
        [ -t 2 ] && progress=--progress-bar
        code=0
        status=$(curl $progress --fail --location --connect-timeout 30 --speed-limit 1 --speed-time 60 \
            --continue-at - --output "$part" --write-out '%{http_code}' "$url") || code=$?
        case $code in
            0) reason= ;;
            3 | 5 | 6 | 7 | 28 | 35) reason=unreachable ;;
            22) [ "$status" = 416 ] && reason=no_range || reason=refused ;;
            33 | 36) reason=no_range ;;
            23) reason=disk ;;
            *) reason=cut ;;
        esac
    elif command -v wget >/dev/null 2>&1; then
        code=0
        log=$(LC_ALL=C wget -nv --tries=1 --timeout=60 --continue --output-document="$part" "$url" 2>&1) ||
            code=$?
        [ $code -eq 0 ] || printf '%s\n' "$log" >&2
        case $code in
            0) reason= ;;
            3) reason=disk ;;
            4) case $log in
                *[Rr]efused* | *unable\ to\ resolve* | *timed\ out* | *nreachable*) reason=unreachable ;;
                *) reason=cut ;;
               esac ;;
            8) case $log in *416*) reason=no_range ;; *) reason=refused ;; esac ;;
            *) reason=cut ;;
        esac
    else
        fail "neither curl nor wget is there; install one, or put the file there yourself:" \
            "  $url" "  -> $file (SHA-1 $expected)"
    fi
}

by_hand="or fetch it in another way, put it there and run this again to check it: $file"
if [ -s "$part" ]; then
    if verified "$part"; then
        mv "$part" "$file"
        say "$file: the download was complete, checksum right"
        exit 0
    fi
    say "going on after $(size_of "$part") bytes of $url"
else
    rm -f "$part"
    say "fetching $url"
fi
download
if [ "$reason" = no_range ]; then
    say "the server cannot go on with a part; fetching all of it"
    rm -f "$part"
    download
fi
kept=0
[ -f "$part" ] && kept=$(size_of "$part")
case $reason in
    unreachable)
        [ "$kept" -eq 0 ] || say "$kept bytes are kept in $part; the next run goes on after them" >&2
        fail "cannot reach $url" \
            "Check the connection, or name a mirror: DREAM_MODEL_URL=ADDRESS $0," "$by_hand" ;;
    refused)
        [ "$kept" -gt 0 ] || rm -f "$part" # wget leaves an empty one
        fail "the server does not give $url (see the status above)" \
            "Name a mirror: DREAM_MODEL_URL=ADDRESS $0," "$by_hand" ;;
    disk) fail "cannot write $part; is the disk full?" ;;
    ?*)
        fail "the download was cut; $kept bytes are kept in $part" "Run this again to go on: $0${1:+ $1}" ;;
esac

got=$(sha1_of "$part")
if [ "$got" != "$expected" ]; then
    size=$(size_of "$part")
    rm -f "$part"
    fail "$url is not the expected file: the download is removed" \
        "  expected SHA-1 $expected" "  got            $got ($size bytes)" \
        "Run this again; if it stays so, the mirror holds another file: name another in DREAM_MODEL_URL," \
        "or, if these weights are what you want, their SHA-1 in DREAM_MODEL_SHA1."
fi
mv "$part" "$file"
say "$file: $(size_of "$file") bytes, checksum right"
