"""Files, and parts of them, as answers to a browser."""

from __future__ import annotations

import re
from pathlib import Path

from django.http import FileResponse, Http404, HttpResponse

#: A browser that plays a film asks for a part of the file.
RANGE = re.compile(r"bytes=(\d*)-(\d*)")

TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".tif": "image/tiff",
    ".bmp": "image/bmp", ".gif": "image/gif", ".mp4": "video/mp4", ".webm": "video/webm",
    ".dzi": "application/xml", ".toml": "text/plain; charset=utf-8",
}  # fmt: skip

#: The header of files that never change under their address.
LASTING = "private, max-age=86400, immutable"


def send(path, download_as=None, lasting=False, request=None):
    """Answer with a file; 404 where it is not there.

    Parameters
    ----------
    path : Path
    download_as : str, optional
        Name under which it is to be saved, not shown.
    lasting : bool
        Whether a browser may keep it.
    request : HttpRequest, optional
        Where a part may be asked for.

    Returns
    -------
    HttpResponse
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - the response closes it
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Http404 from error
    kind = TYPES.get(Path(path).suffix, "application/octet-stream")
    part = RANGE.fullmatch(request.headers.get("Range", "")) if request else None
    if part and any(part.groups()):
        response = _part(file, Path(path).stat().st_size, part, kind)
    else:
        response = FileResponse(
            file, as_attachment=bool(download_as), filename=download_as or "", content_type=kind
        )
    if request:
        response.headers["Accept-Ranges"] = "bytes"
    if lasting:
        response.headers["Cache-Control"] = LASTING
    return response


def _part(file, size, wanted, kind):
    """Answer with a part of a file, at most 8 MiB: a browser asks for more when it needs it."""
    first, last = wanted.groups()
    if first:
        begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        begin, end = max(0, size - int(last)), size - 1
    if begin > end:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    end = min(end, begin + (8 << 20) - 1)
    with file:
        file.seek(begin)
        data = file.read(end - begin + 1)
    return HttpResponse(
        data, status=206, content_type=kind,
        headers={"Content-Range": f"bytes {begin}-{begin + len(data) - 1}/{size}"},
    )  # fmt: skip
