#!/bin/sh
# Fetch a model's published weights into models/NAME/.
#
#   scripts/fetch_model.sh NAME [FOLDER]
#
# NAME             a folder of models/ whose model.toml says where the weights are published
# FOLDER           where they go; models/NAME if not given
# DREAM_MODEL_URL  a mirror of the file, instead of the address in model.toml
# DREAM_MODEL_SHA1 its SHA-1, for a mirror that holds other weights of the same network
# DREAM_PYTHON     the Python that has dreamlib's packages; .venv/bin/python if not given
#
# A download that was cut is resumed (FILE.part). The file is moved into place only
# when its checksum is right; where none is published, when it holds every layer of deploy.prototxt
# in its shape. Weights in a .tar.gz are taken out of it: the checksum is the archive's.
# Exit code: 0 it is there, 2 it is not (the message says what to do).
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '%s\n' "$*"; }
fail() {
    for line in "$@"; do printf '%s\n' "$line" >&2; done
    exit 2
}
value_of() { sed -n "s/^$1 *= *\"\\([^\"]*\\)\".*/\\1/p" "$toml"; }
# Whether model $1 is one that this script fetches; sets `toml`.
known() {
    toml=$here/models/$1/model.toml
    case $1 in '' | .* | */*) return 1 ;; esac
    [ -f "$toml" ] || return 1
    case $(value_of fetch) in scripts/fetch_*) ;; *) return 1 ;; esac
}
names() {
    for folder in "$here"/models/*/; do
        folder=${folder%/}
        ! known "${folder##*/}" || printf '%s ' "${folder##*/}"
    done
}

for argument in "$@"; do
    case $argument in
        -h | --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
            say "NAME is one of: $(names)"
            exit 0 ;;
    esac
done
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
fi
name=$1
again="$0 $name${2:+ $2}"
known "$name" || fail "no model '$name' has published weights to fetch; there are: $(names)"
packed() { case $1 in *.tar.gz | *.tgz) echo packed ;; esac; }

folder=${2:-$here/models/$name}
source=$(value_of source)
url=${DREAM_MODEL_URL:-$source}
published=
[ "$(packed "$url")" != "$(packed "$source")" ] || published=$(value_of sha1)
expected=$(printf %s "${DREAM_MODEL_SHA1:-$published}" | tr A-F a-f)
weights=$(value_of weights)
file=$folder/$weights
part=$file.part
[ -z "$(packed "$url")" ] || part=$file.tar.gz.part

sha1_of() {
    if command -v sha1sum >/dev/null 2>&1; then sha1sum <"$1"; else shasum <"$1"; fi | cut -d' ' -f1
}
size_of() { wc -c <"$1" | tr -d ' '; }
# Whether it is the file that is published: by its checksum.
verified() { [ -f "$1" ] && [ "$expected" ] && [ "$(sha1_of "$1")" = "$expected" ]; }
# Runs check_weights.py on a file, or on none, to see whether it can run; sets `verdict`.
python=${DREAM_PYTHON:-$here/.venv/bin/python}
command -v "$python" >/dev/null 2>&1 || python=python3
check() {
    verdict=$("$python" "$here/scripts/check_weights.py" "$here/models/$name/deploy.prototxt" "$@" 2>&1)
}
# Whether the weights $1 are the ones: by their checksum, or by loading them where that is unknown.
right() {
    [ -f "$1" ] || return 1
    if [ "$loading" ]; then check "$1"; else verified "$1"; fi
}
# Whether the download is complete.
complete() {
    if [ "$expected" ]; then verified "$part"
    elif [ "$(packed "$url")" ]; then tar -tzf "$part" >/dev/null 2>&1
    else right "$part"
    fi
}
# Moves what was downloaded into place, out of its archive, after the check by loading.
put_in_place() {
    if [ "$(packed "$url")" ]; then
        member=$(tar -tzf "$part" 2>/dev/null | sed -n "/^\(.*\/\)\{0,1\}$weights\$/p")
        if [ -z "$member" ]; then
            rm -f "$part"
            fail "$url is not the expected file, there is no $weights in it: the download is removed"
        fi
        if ! tar -xzOf "$part" "$member" >"$file.part"; then
            rm -f "$file.part"
            fail "cannot unpack $part; is the disk full?"
        fi
    fi
    if [ "$loading" ] && ! right "$file.part"; then
        rm -f "$file.part" "$part"
        fail "$url is not the expected file: the download is removed" "  $verdict"
    fi
    mv "$file.part" "$file"
    rm -f "$part"
}

case $expected in
    *[!0-9a-f]*) fail "DREAM_MODEL_SHA1: '$expected' is no SHA-1; expected 40 digits 0-9a-f" ;;
    '' | ????????????????????????????????????????) ;;
    *) fail "DREAM_MODEL_SHA1: '$expected' has ${#expected} digits; a SHA-1 has 40" ;;
esac
# Where the checksum is not that of the weights themselves, they are judged by loading them.
loading= present="checksum right"
if [ -z "$expected" ] || [ "$(packed "$url")" ]; then
    loading=yes present="every layer of the network in it"
    check || fail "$verdict" "The weights of $name are checked by loading them into the network, since no" \
        "checksum of them is published; install what that needs: make setup"
fi
judged=$present
[ -z "$loading" ] || [ -z "$expected" ] || judged="checksum of the archive right, $present"
if right "$file"; then
    say "$file is there already, $present"
    exit 0
fi
mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] ||
    fail "cannot write into $folder; give a folder of your own: $0 $name FOLDER"

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
            8) case $log in *ERROR\ 416*) reason=no_range ;; *) reason=refused ;; esac ;;
            *) reason=cut ;;
        esac
    else
        fail "neither curl nor wget is there; install one, or put the file there yourself:" \
            "  $url" "  -> $file${expected:+ (SHA-1 $expected)}"
    fi
}

by_hand="or fetch it in another way, put it there and run this again to check it: $file"
if [ -s "$part" ]; then
    if complete; then
        put_in_place
        say "$file: the download was complete, $judged"
        exit 0
    fi
    say "resuming after $(size_of "$part") bytes of $url"
else
    rm -f "$part"
    say "fetching $url"
fi
download
if [ "$reason" = no_range ]; then
    say "the server cannot resume a download; fetching all of it"
    rm -f "$part"
    download
fi
kept=0
[ -f "$part" ] && kept=$(size_of "$part")
case $reason in
    unreachable)
        [ "$kept" -eq 0 ] || say "$kept bytes are kept in $part; the next run resumes there" >&2
        fail "cannot reach $url" \
            "Check the connection, or name a mirror: DREAM_MODEL_URL=ADDRESS $again," "$by_hand" ;;
    refused)
        [ "$kept" -gt 0 ] || rm -f "$part" # wget leaves an empty one
        fail "the server does not give $url (see the status above)" \
            "Name a mirror: DREAM_MODEL_URL=ADDRESS $again," "$by_hand" ;;
    disk) fail "cannot write $part; is the disk full?" ;;
    ?*)
        fail "the download was cut; $kept bytes are kept in $part" "Run this again to resume: $again" ;;
esac

got=$(sha1_of "$part")
if [ "$expected" ] && [ "$got" != "$expected" ]; then
    size=$(size_of "$part")
    rm -f "$part"
    fail "$url is not the expected file: the download is removed" \
        "  expected SHA-1 $expected" "  got            $got ($size bytes)" \
        "Run this again; if it stays so, the mirror holds another file: name another in DREAM_MODEL_URL," \
        "or, if these weights are what you want, their SHA-1 in DREAM_MODEL_SHA1."
fi
put_in_place
say "$file: $(size_of "$file") bytes, $judged"
[ "$expected" ] || say "No checksum is published; to compare with others', its SHA-1 is $got"
