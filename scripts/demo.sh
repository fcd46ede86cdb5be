#!/usr/bin/env bash
# Dreams a sky, two classes and a zoom with the embedded model: out/demo.png, and out/index.html to
# look at them, each with the command that made it.
#   scripts/demo.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
[[ $python != */* ]] || python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
mkdir -p out
cd out
rm -rf zoom zoom.gif  # an earlier demo's
page=index.html.new

# dream TITLE INPUT OUTPUT FLAG...: a dream, and a figure of what it shows
dream() {
  local title=$1 input=$2 output=$3 shown=$3 before= command="$2 $3 --seed 1" word
  shift 3
  for word; do [[ $word != *" "* ]] || word="'$word'"; command+=" $word"; done
  "$python" ../dream.py "$input" "$output" --model efficientnet_lite0 --seed 1 "$@"
  [ ! -d "$output" ] || shown=$output.gif
  [ ! -f "$input" ] || [ "$shown" != "$output" ] || before="<img src=\"$input\" alt=\"before\">"
  printf '<h2>%s</h2>\n<p>%s<img src="%s" alt="%s"></p>\n<pre>dream.py %s</pre>\n' \
    "$title" "$before" "$shown" "$title" "$command" >>"$page"
}

"$python" -m dreamlib.imaging.samples clouds clouds.png --size 1024x576 --seed 1
"$python" -m dreamlib.imaging.samples clouds small.png --size 320x180 --seed 1
"$python" -m dreamlib.imaging.samples flowers meadow.png --size 480x300 --seed 1
cat >"$page" <<'HTML'
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>dreamlib</title>
<meta name="viewport" content="width=device-width">
<style>
  body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; background: #16181d; color: #dde; font: 1rem/1.5 sans-serif }
  img { max-width: 49%; margin-right: 1%; border-radius: 4px } pre { overflow: auto; color: #9c9 }
</style>
<h1>dreamlib</h1>
<p>Dreams of the embedded model, EfficientNet-Lite0, as <code>make demo</code> makes them.</p>
HTML
dream "A sky, before and after" clouds.png demo.png
dream "A class out of noise" noise:320x320 volcano.png --target volcano
dream "A class in a meadow" meadow.png fox.png --target 'red fox' --class-strength 1.6
dream "An endless zoom" small.png zoom --frames 12 --gif zoom.gif --boomerang
echo '</html>' >>"$page"
mv "$page" index.html
echo "look at out/index.html"
