"""A dream's page, and its files, to its owner.

Views of Django: each takes the request, and the parts of the address that `studio.urls` names.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from dreamlib import BY_NAME, DEFAULT_FPS, VIDEO_FORMATS, DreamError, Settings, written_whole
from studio.dreams.models import State
from studio.dreams.views import ACTIONS, last_event, own
from studio.films import LAST_FRAME, settings_text
from studio.pictures.library import take_in
from studio.sending import send


@require_GET
def dream(request, pk):
    """Show a dream: live while it is dreamt, then to be looked at closely."""
    last = last_event()
    dream = own(request, pk)
    dream.actions = ACTIONS[dream.state]
    values = [
        (name.replace("_", " "), _shown(name, value), BY_NAME[name].help)
        for name, value in dream.settings.items()
        if name in BY_NAME
    ]
    done = dream.state == State.DONE
    return render(
        request, "dream.html",
        {
            "dream": dream, "settings": values, "last": last, "done": done,
            "film": done and dream.is_film, "plays": dream.suffix in VIDEO_FORMATS,
            "fps": dream.settings.get("fps", DEFAULT_FPS),
            "before": done and (dream.folder / "before.dzi").exists(),
            "stem": Path(dream.name).stem,
        },
    )  # fmt: skip


def _shown(name, value):
    return "a picture of the library" if name in ("guide", "mask") else json.dumps(value).strip('"')


@require_GET
def preview(request, pk):
    """Send the latest preview."""
    return send(own(request, pk).preview)


@require_GET
def beside(request, pk, name, lasting=False):
    """Send a file beside a finished dream: small copy, poster, description of a Deep Zoom."""
    return send(own(request, pk).folder / name, lasting=lasting)


@require_GET
def tile(request, pk, side, level, column, row):
    """Send a tile of a Deep Zoom."""
    folder = own(request, pk).folder / f"{side}_files" / str(level)
    return send(folder / f"{column}_{row}.jpg", lasting=True)


def _finished(request, pk):
    dream = own(request, pk)
    if dream.state != State.DONE:
        raise Http404
    return dream


@require_GET
def download(request, pk):
    """Send the dreamt picture, at its own depth and in its own format."""
    dream = _finished(request, pk)
    name = f"{Path(dream.name).stem}_dream{dream.suffix}"
    return send(dream.output, download_as=name, request=request)


@require_GET
def film(request, pk):
    """Send a film, or parts of it, to be played."""
    return send(_finished(request, pk).output, request=request)


@require_GET
def settings_file(request, pk):
    """Send the settings, as the command's --config takes them; library pictures by their names."""
    dream = own(request, pk)
    kept = dream.folder / "settings.toml"
    if not kept.exists():
        values = {name: value for name, value in dream.settings.items() if name in BY_NAME}
        dream.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(kept) as part:
            Path(part).write_text(settings_text(Settings(**values), dream.suffix))
    return send(kept, download_as=f"{Path(dream.name).stem}.toml")


@require_POST
def again(request, pk):
    """Take a result into the library, and begin a new dream of it with the same settings.

    Of a film that is its last frame: the new one continues from there.
    """
    dream = _finished(request, pk)
    result = dream.folder / LAST_FRAME if dream.is_film else dream.output
    copy = dream.folder / f"again-{uuid.uuid4()}.part"
    os.link(result, copy)
    try:
        picture = take_in(request.user, f"{Path(dream.name).stem} dreamt{result.suffix}", copy)
    except DreamError as error:
        messages.error(request, str(error))
        return redirect("dream", pk)
    return redirect(f"{reverse('new')}?picture={picture.pk}&like={dream.pk}")
