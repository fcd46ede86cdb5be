"""Figures written where a page of the documentation waits for them."""

from __future__ import annotations

from pathlib import Path


def write_between(page, name, text):
    """Put a text between a page's comments ``<!-- NAME -->`` and ``<!-- end of NAME -->``.

    Parameters
    ----------
    page : Path
    name : str
    text : str
        In the place of what is there.

    Raises
    ------
    ValueError
        The page has no such comments, or several.
    """
    page = Path(page)
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    old = page.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(end) < old.index(begin):
        raise ValueError(f"{page}: expected one {begin.strip()} and one {end} after it")
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
