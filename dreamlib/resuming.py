"""What must be as it was when a dream is gone on with: its settings, and the files it is of."""

from __future__ import annotations

from . import files
from .checkpoint import fingerprint
from .errors import DreamError
from .mixtures import parse_weights
from .models import lasting_name


def resumed(settings, folder):
    """Return the settings that the unfinished dream was begun with; refuse others."""
    before = folder.record["settings"]
    now = settings.recorded()
    changed = [
        f"{name} was {before.get(name, 'left open')}, is now {now[name]}"
        for name in sorted(settings.given & set(now))
        if now[name] != before.get(name) and not (name == "model" and _same_model(now, before))
    ]
    if changed:
        raise DreamError(
            f"the dream in {folder.path} was begun with other settings: {'; '.join(changed)}. "
            "Resume it with its own (none need be given), or begin anew in another --work-dir"
        )
    return settings.replace(**before)


def _same_model(now, before):
    return lasting_name(now["model"]) == before["model"]


def refuse_changes(folder, record):
    """Refuse to go on with a dream whose pictures or network are not what they were."""
    for name, now in record["files"].items():
        before = folder.record["files"][name]
        if now != before:
            raise DreamError(
                f"{name} of the dream in {folder.path} has changed since it was begun: it was "
                f"{_described(before)}, is now {_described(now)}. Bring it back, or begin anew in "
                "another --work-dir"
            )


def fingerprints(source, model, settings):
    """Return what identifies the files that a dream is made of, by what they are to it."""
    noise = source.startswith("noise:")
    prints = {
        "the input picture": source if noise else fingerprint(source),
        "the model's weights": fingerprint(model.weights),
    }
    guides = parse_weights(settings.guide, "--guide") if settings.guide else []
    pictures = [(f"the guide picture {path}", path) for path, _ in guides]
    if settings.mask:
        pictures.append((f"the mask {settings.mask}", settings.mask))
    for name, path in pictures:
        files.open_picture(path, 0, "", "strip")  # refuses what is none, before there is a folder
        prints[name] = fingerprint(path)
    return prints


def _described(print_of_file):
    if isinstance(print_of_file, str):
        return print_of_file
    return f"{print_of_file['bytes']} bytes with SHA-256 {print_of_file['sha256'][:12]}..."
