"""Settings that come from files run nobody's code, unless that is allowed."""

from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from dreamlib.config import load_config
from dreamlib.errors import DreamError
from tests.command import run

FUNCTION = """from pathlib import Path
Path('ran').write_text('')
def change(picture, frame): pass
"""
CHAIN = "python:intruder:change"


@pytest.fixture
def film(workplace, model, monkeypatch):
    """Run a film of two frames with more flags; tell how it ended, and whether the code ran."""
    monkeypatch.syspath_prepend(str(workplace))
    monkeypatch.delitem(__import__("sys").modules, "intruder", raising=False)
    Path("intruder.py").write_text(FUNCTION)

    def made(*flags, frames=2, folder="film"):
        status = run("sky.png", folder, "--frames", frames, "--model", model, "--end", "conv1",
                     "--iterations", 1, "--octaves", 1, "--quiet", *flags)  # fmt: skip
        return status, Path("ran").exists()

    return made


def record(text, path="dreamt.png"):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("dreamlib", text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def test_a_picture_runs_no_code(film, capsys):
    assert film("--config", record(f"distort = '{CHAIN}'")) == (2, False)
    assert "add --allow-code" in capsys.readouterr().err


def test_a_picture_runs_code_where_that_is_allowed(film):
    assert film("--config", record(f"distort = '{CHAIN}'"), "--allow-code") == (0, True)


def test_a_toml_file_runs_no_code(film):
    Path("c.toml").write_text(f"distort = '{CHAIN}'")
    assert film("--config", "c.toml") == (2, False)


def test_what_the_user_writes_runs(film):
    assert film("--distort", CHAIN) == (0, True)


def test_a_film_that_is_resumed_runs_no_code(film):
    assert film("--distort", CHAIN, frames=1) == (0, True)
    Path("ran").unlink()
    assert film("--resume") == (2, False)
    assert film("--resume", "--allow-code")[0] == 0


@pytest.mark.parametrize("text", ["allow_code = true", "cluster = 'tcp://a:1'", "gif = 'a.gif'"])
def test_a_picture_sets_nothing_but_what_dreams_record(workplace, text):
    with pytest.raises(DreamError, match=r"command line alone|not to be trusted"):
        load_config(record(text))
