#!/usr/bin/env bash
# Installs what the studio's tests run beside it, as far as it is not there: Debian's Chromium, Redis
# and PostgreSQL, and their clients for Python. Nothing is started; tests whose server is missing say so.
#   scripts/test_services.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}

say() { echo "setup: $*" >&2; }

"$python" scripts/install.py studio-cluster
missing=()
command -v chromium >/dev/null && command -v chromedriver >/dev/null || missing+=(chromium chromium-driver)
command -v redis-server >/dev/null || missing+=(redis-server)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
    missing+=(postgresql)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing for the tests: ${missing[*]}"
    # Without a run level, Debian starts none of them.
    if apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
        exit 0
    fi
    say "they cannot be installed; their tests are skipped"
else
    say "their tests are skipped without: sudo apt-get install ${missing[*]}"
fi
