"""The page that shows what was reproduced: plain HTML beside the pictures."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from dreamlib.util.atomic_write import written_whole

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 1060px; margin: 2em auto; padding: 0 1em;
       color: #222; background: #fafafa; }
img { max-width: 100%; height: auto; vertical-align: top; }
.pair { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: 0; flex: 1 1 420px; }
.strip img { width: 116px; margin: 2px; }
code { font-size: 14px; overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: .2em .9em; border-bottom: 1px solid #ccc; }
td + td { text-align: right; }
"""


class Comparison(NamedTuple):
    """How a dream differs from the notebook's."""

    name: str
    largest: float  #: grey levels
    mean: float
    seconds: float
    notebook_seconds: float

    def __str__(self):
        return (
            f"{self.name}: {self.largest:.3g} levels off the notebook's at most, {self.mean:.3g} "
            f"on average; {self.seconds:.1f} s, the notebook's code {self.notebook_seconds:.1f} s"
        )


class Section(NamedTuple):
    """A cell of the notebook."""

    title: str
    words: str = ""
    pictures: tuple = ()  #: file names; where there are two, ours and the notebook's
    comparisons: tuple = ()
    strip: tuple = ()  #: of small pictures


def write_page(path, title, words, sections):
    """Write the page; return its path."""
    parts = [
        "<!doctype html>\n<html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1><p>{escape(words)}</p>",
        _table([one for section in sections for one in section.comparisons]),
        *(_section(section) for section in sections),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")
    return path


def _table(comparisons):
    head = (
        "<h2>Against the notebook's own code</h2><p>On the same engine, from the same random "
        "numbers; differences in grey levels of 0 to 255, before rounding.</p>"
        "<table><tr><th>dream<th>largest<th>mean<th>seconds<th>the notebook's</tr>"
    )
    rows = [
        f"<tr><td>{escape(one.name)}<td>{one.largest:.3g}<td>{one.mean:.3g}<td>{one.seconds:.1f}"
        f"<td>{one.notebook_seconds:.1f}</tr>"
        for one in comparisons
    ]
    return "\n".join([head, *rows, "</table>"])


def _section(section):
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.words:
        parts.append(f"<p><code>{escape(section.words)}</code></p>")
    parts += [f"<p>{escape(str(one))}</p>" for one in section.comparisons]
    captions = ("dreamlib", "the notebook's code") if len(section.pictures) == 2 else ("",)
    figures = [
        f"<figure><img src='{escape(name)}' alt='{escape(section.title)}'>"
        f"<figcaption>{caption}</figcaption></figure>"
        for name, caption in zip(section.pictures, captions)
    ]
    parts.append(f"<div class=pair>{''.join(figures)}</div>")
    images = [
        f"<a href='{escape(name)}'><img loading=lazy src='{escape(name)}' alt='{escape(name)}'></a>"
        for name in section.strip
    ]
    parts.append(f"<div class=strip>{''.join(images)}</div>" if images else "")
    return "\n".join(parts)
