"""Uploads that survive a lost connection: tus 1.0.0, the server's side.

Of the protocol: core, creation, termination. A file's bytes go to the disk as they arrive; a
browser that comes back resumes behind them. Views of Django: each takes the request.
Specification: tus.io/protocols/resumable-upload.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import shutil
from datetime import timedelta

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dreamlib import DreamError
from studio.pictures.library import display_name, take_in
from studio.pictures.models import Upload

VERSION = "1.0.0"
BLOCK = 1 << 20

#: How long a part is kept that nobody resumes.
KEPT = timedelta(days=3)


def _answer(status, **headers):
    response = HttpResponse(status=status)
    for name, value in {"Tus-Resumable": VERSION, "Cache-Control": "no-store", **headers}.items():
        response.headers[name.replace("_", "-")] = value
    return response


def _refused(status, error):
    response = JsonResponse({"error": error}, status=status)
    response.headers["Tus-Resumable"] = VERSION
    return response


@require_http_methods(["POST", "OPTIONS"])
def create(request):
    """Begin an upload: the headers give its length and name, the answer its address."""
    if request.method == "OPTIONS":
        return _answer(
            204, Tus_Version=VERSION, Tus_Extension="creation,termination",
            Tus_Max_Size=str(settings.MAX_UPLOAD),
        )  # fmt: skip
    length = request.headers.get("Upload-Length", "")
    if not length.isdigit() or int(length) == 0:
        return _refused(400, "the file is empty, or its length was not given")
    if int(length) > settings.MAX_UPLOAD:
        return _refused(413, f"at most {settings.MAX_UPLOAD / 1e9:.1f} GB are taken")
    folder = settings.DATA / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    _clear_away()
    if int(length) > shutil.disk_usage(folder).free:
        return _refused(507, "the server's disk has no room for it")
    name = _metadata(request.headers.get("Upload-Metadata", "")).get("filename", "")
    upload = Upload.objects.create(owner=request.user, name=display_name(name), bytes=int(length))
    upload.part.touch()
    return _answer(201, Location=reverse("upload", args=[upload.pk]))


@require_http_methods(["HEAD", "PATCH", "DELETE"])
def upload(request, pk):
    """Tell the number of bytes that have arrived, append more, or give the upload up."""
    upload = get_object_or_404(Upload, pk=pk, owner=request.user)
    if request.method == "HEAD":
        size = upload.part.stat().st_size
        return _answer(200, Upload_Offset=str(size), Upload_Length=str(upload.bytes))
    if request.method == "DELETE":
        upload.part.unlink(missing_ok=True)
        upload.delete()
        return _answer(204)
    return _append(request, upload)


def _append(request, upload):
    """Append the request's body to the part."""
    if request.headers.get("Content-Type") != "application/offset+octet-stream":
        return _refused(415, "expected application/offset+octet-stream")
    with open(upload.part, "r+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _refused(423, "this upload is being written to already")
        size = part.seek(0, os.SEEK_END)
        if request.headers.get("Upload-Offset") != str(size):
            return _refused(409, f"{size} bytes have arrived; resume from there")
        while size < upload.bytes:
            block = request.read(min(BLOCK, upload.bytes - size))
            if not block:
                break
            part.write(block)
            size += len(block)
        part.flush()
        if size == upload.bytes:
            return _complete(request, upload)
    return _answer(204, Upload_Offset=str(size))


def _complete(request, upload):
    """Make a picture of a file that has arrived; or answer why it is refused."""
    try:
        picture = take_in(request.user, upload.name, upload.part)
    except DreamError as error:
        upload.delete()
        return _refused(422, str(error))
    size = upload.bytes
    upload.delete()
    return _answer(204, Upload_Offset=str(size), Picture=str(picture.pk))


def _metadata(text):
    """Read ``key base64,key base64``; anything else is left out."""
    found = {}
    for pair in text.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found


def _clear_away():
    """Remove parts that were left behind."""
    for old in Upload.objects.filter(begun__lt=timezone.now() - KEPT):
        old.part.unlink(missing_ok=True)
        old.delete()
