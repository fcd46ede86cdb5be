"""docs/usage.md shows pictures that are there, with the flags that made them."""

import re
import shlex

import pytest
from PIL import Image

from dreamlib import cli
from dreamlib.config import preset_names
from dreamlib.models.zoo import EMBEDDED, GOOGLENET
from tests.embedded import REPOSITORY, prepared_model

GUIDE = (REPOSITORY / "docs" / "usage.md").read_text(encoding="utf-8")
SCRIPT = REPOSITORY / "scripts" / "docs_pictures.py"
MODELS = (GOOGLENET, EMBEDDED)
COMMITTED = REPOSITORY / "docs" / "pictures"


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))
        import docs_pictures

        yield docs_pictures


def unknown_flags(text):
    """The flags written in a text that dream.py does not have."""
    known = {flag for action in cli.build_parser()._actions for flag in action.option_strings}
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - known)


@pytest.mark.parametrize("page", ["usage", "presets", "films", "distortions", "tiling"])
def test_every_flag_of_a_page_is_the_commands(page):
    text = (COMMITTED.parent / f"{page}.md").read_text(encoding="utf-8")
    of_benchmarks = re.compile(r"`(python benchmarks/)?(?!dream)\w+\.py [^`]*`")
    assert unknown_flags(of_benchmarks.sub("", text)) == []


def test_a_flag_that_the_command_lost_would_be_noticed():
    assert unknown_flags("`--octaves 3`, `--colour-cycle 2`; --no-clip --") == ["--colour-cycle"]


def test_the_pages_show_every_picture_and_each_is_there():
    pages = [page.read_text(encoding="utf-8") for page in COMMITTED.parent.glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"\]\(pictures/([^)]+)\)", page)}
    assert sorted(shown) == sorted(path.name for path in COMMITTED.iterdir())
    for name in shown:
        with Image.open(COMMITTED / name) as picture:
            picture.load()


def test_captions_are_the_words_that_made_the_pictures(script):
    caption = r"!\[[^\]]+\]\(pictures/([\w-]+)\.jpg\)<br>`([^`]+)`"
    pages = [page.read_text(encoding="utf-8") for page in COMMITTED.parent.glob("*.md")]
    captions = [found for page in pages for found in re.findall(caption, page)]
    of_presets = {f"{name}-{model}" for model in MODELS for name in preset_names(model)}
    assert captions
    assert dict(captions) == {
        name: words for name, words in script.PICTURES.items() if name not in of_presets
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_presets_shows_each_by_each_model_that_it_is_for(script, model):
    page = (COMMITTED.parent / "presets.md").read_text(encoding="utf-8")
    shown = re.findall(rf"\(pictures/([\w-]+)-{model}\.jpg\)", page)
    assert shown == [name for name in preset_names(model) if name not in script.FILMS]


def test_the_command_accepts_the_words_of_every_picture(script):
    for words in script.PICTURES.values():
        arguments = cli.build_parser().parse_args(shlex.split(words))
        assert arguments.input
        cli.settings_from(arguments)


def test_pictures_are_small(script):
    sizes = [path.stat().st_size for path in COMMITTED.iterdir()]
    assert max(sizes) <= script.BYTES
    assert sum(sizes) < 3_000_000


def test_the_script_makes_the_pictures_that_are_named(script, tmp_path):
    prepared_model()
    script.main(["sky", "octaves1", "--folder", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["octaves1.jpg", "sky.jpg"]
    for name in ("sky.jpg", "octaves1.jpg"):
        with Image.open(tmp_path / name) as new, Image.open(COMMITTED / name) as committed:
            assert new.size == committed.size
    assert (tmp_path / "sky.jpg").read_bytes() != (tmp_path / "octaves1.jpg").read_bytes()


def test_the_script_refuses_a_name_that_it_does_not_know(script, tmp_path, capsys):
    with pytest.raises(SystemExit) as refused:
        script.main(["skies", "--folder", str(tmp_path / "made")])
    assert refused.value.code == 2
    assert "skies" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
