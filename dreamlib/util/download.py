"""A file from the web, resumed where an earlier download was cut."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from tqdm import tqdm

from dreamlib.errors import DreamError

#: Seconds that a server may be silent.
TIMEOUT = 30

_CHUNK = 1 << 18  # bytes


class Cut(DreamError):
    """A download ended early; what has come is kept, to be resumed."""


def download(url, path, title=None):
    """Download a file, behind what there is of it already; a bar shows it on a terminal.

    Parameters
    ----------
    url : str
    path : Path
        Written as the bytes come. A server that cannot resume, or whose file is shorter, starts it
        over.
    title : str, optional
        Of the bar; by default the path's name.

    Raises
    ------
    Cut
        The connection broke, or the server fell silent; `path` holds what has come.
    DreamError
        There is no such server, or no such file on it; or `path` cannot be written.
    """
    kept = path.stat().st_size if path.is_file() else 0
    headers = {"User-Agent": "dreamlib"}
    if kept:
        headers["Range"] = f"bytes={kept}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not kept:
            raise DreamError(f"{url}: the server answers {error.code} {error.reason}") from error
        if error.headers.get("Content-Range") != f"bytes */{kept}":  # else the file is whole
            path.unlink()
            download(url, path, title)
    except (OSError, http.client.HTTPException) as error:
        why = _silence(error) or getattr(error, "reason", error)
        raise DreamError(f"{url}: cannot be reached: {why}") from error
    except ValueError as error:
        raise DreamError(f"{url}: is no address: {error}") from error
    else:
        with answer:
            _receive(answer, url, path, kept if answer.status == 206 else 0, title)


def _receive(answer, url, path, kept, title):
    """Write what comes behind the first `kept` bytes of a file."""
    length = answer.headers.get("Content-Length")
    total = kept + int(length) if length else None
    bar = tqdm(
        total=total, initial=kept, unit="B", unit_scale=True, desc=title or path.name, leave=False,
        disable=None,  # where there is no terminal
    )  # fmt: skip
    with _opened(path, "r+b" if kept else "wb") as file, bar:
        file.seek(kept)
        while chunk := _next(answer, url, file):
            try:
                file.write(chunk)
            except OSError as error:
                raise DreamError(f"{path} cannot be written: {error.strerror}") from error
            bar.update(len(chunk))
        if total is not None and file.tell() < total:
            raise Cut(f"{url}: the download was cut after {file.tell()} of {total} bytes")


def _next(answer, url, file):
    try:
        return answer.read1(_CHUNK)  # what has come, not a whole chunk
    except (OSError, http.client.HTTPException) as error:
        why = _silence(error) or error
        raise Cut(f"{url}: the download was cut after {file.tell()} bytes: {why}") from error


def _opened(path, mode):
    try:
        return open(path, mode)
    except OSError as error:
        raise DreamError(f"{path} cannot be written: {error.strerror}") from error


def _silence(error):
    return f"no answer for {TIMEOUT} s" if "timed out" in str(error) else ""
