"""The studio's image: what it is made with, and that its modules start, in a folder for a root."""

import sys

from tests.docker.test_torch_image import project, run  # noqa: F401 - a fixture

ASSETS = "scripts/studio_assets.sh"


def test_the_image_fetches_its_style_and_its_modules_start(project):  # noqa: F811
    status, said = run([project / ASSETS, sys.executable])
    assert status == 0, said
    assert (project / "studio/static/vendor/beercss/beer.min.css").stat().st_size > 10_000
    status, said = run(
        [sys.executable, "-m", "studio", "check"], PYTHONPATH=str(project),
        PYTHONSAFEPATH="1", DREAM_DATA=str(project.parent / "pictures"), DREAM_SECRET_KEY="ab" * 30,
    )  # fmt: skip
    assert status == 0, said
    assert "no issues" in said
