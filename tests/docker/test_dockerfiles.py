"""Dockerfiles, compose file and .dockerignore, as far as they can be judged without docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docker import dockerfile, test_studio_image, test_torch_image
from tests.docker.dockerfile import DOCKERFILES, PROJECT

COMPOSE = PROJECT / "docker" / "compose.yaml"
HADOLINT = Path(sys.executable).with_name("hadolint")
STUDIO = PROJECT / "docker" / "studio"
every_dockerfile = pytest.mark.parametrize(
    "path", DOCKERFILES, ids=[path.parent.name for path in DOCKERFILES]
)


def words_of(path, keyword):
    return [words for key, words in dockerfile.parse(path.read_text()) if key == keyword]


def scripts_of(path):
    """The scripts (list of Path) that a Dockerfile's RUN lines call."""
    return [PROJECT / words[0].replace("/opt/dreamlib/", "") for words in words_of(path, "RUN")]


def test_there_is_an_image_for_each_engine_and_one_for_the_studio():
    assert [path.parent.name for path in DOCKERFILES] == [
        "caffe-cpu", "caffe-cuda", "studio", "torch",
    ]  # fmt: skip


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no wheel for this machine")
@every_dockerfile
def test_hadolint_has_nothing_to_say(path):
    done = subprocess.run([HADOLINT, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@every_dockerfile
def test_the_base_is_a_build_argument_pinned_by_its_tag(path):
    (base,) = (words[0] for words in words_of(path, "ARG") if words[0].startswith("BASE="))
    assert re.fullmatch(r"BASE=[a-z/]+:[\w.-]+(@sha256:[0-9a-f]{64})?", base)
    assert ":latest" not in base
    assert words_of(path, "FROM") == [["${BASE}"]]


@every_dockerfile
def test_everything_that_is_copied_is_in_the_context(path):
    files = dockerfile.context()
    for *sources, destination in words_of(path, "COPY"):
        assert destination.endswith("/")
        for source in sources:
            assert dockerfile.copied([source], files), source


@every_dockerfile
def test_a_run_line_calls_one_script_that_was_copied_before_it(path):
    there = set()
    for keyword, words in dockerfile.parse(path.read_text()):
        if keyword == "COPY":
            pairs = dockerfile.copied(words[:-1], dockerfile.context())
            there |= {str(Path(words[-1]) / below) for _, below in pairs}
        elif keyword == "RUN":
            assert words[0] in there
            assert not set("".join(words)) & set("&|;<>`")
    for script in scripts_of(path):
        assert os.access(script, os.X_OK)


def test_every_script_that_images_run_is_run_by_a_test():
    # tests/real_caffe/test_containers.py carries out the Dockerfiles of caffe-cpu and caffe-cuda.
    *by_caffe, studio, torch = map(scripts_of, DOCKERFILES)
    others = {*studio, *torch} - {script for scripts in by_caffe for script in scripts}
    torchs = (test_torch_image.INSTALL, test_torch_image.PREPARE, test_torch_image.COMPILER)
    assert others == {PROJECT / script for script in (*torchs, test_studio_image.ASSETS)}


@every_dockerfile
def test_dreams_run_as_a_user_without_power(path):
    assert words_of(path, "USER")[-1] == ["1000:1000"]
    made = (PROJECT / "docker" / "add_user.sh").read_text()
    assert "--uid 1000" in made


@every_dockerfile
def test_the_entrypoint_is_the_command_or_the_studios_modules(path):
    studio = path.parent == STUDIO
    words = ["python3", "-m"] if studio else ["python3", "/opt/dreamlib/dream.py"]
    assert words_of(path, "ENTRYPOINT") == [words]
    assert words_of(path, "WORKDIR") == [["/pictures"]]
    assert Path("dream.py") in dockerfile.context()


def test_neither_weights_nor_rubbish_are_in_the_context(tmp_path):
    for name in (
        "dream.py", "dreamlib/dream.py", "dreamlib/__pycache__/dream.pyc", "models/a/model.toml",
        "models/a/a.caffemodel", "models/a/labels.txt", "models/a/a.caffemodel.part", ".git/config",
        "models/efficientnet_lite0/deploy.prototxt", "models/a/deploy.prototxt", ".venv/bin/python",
        "out/demo.png", "sky.jpg", "tests/test_dream.py",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(PROJECT / ".dockerignore", tmp_path)
    assert [path.as_posix() for path in dockerfile.context(tmp_path)] == [
        "dream.py",
        "dreamlib/dream.py",
        "models/a/deploy.prototxt",
        "models/a/model.toml",
    ]


def test_what_git_tracks_below_the_images_folders_is_in_the_context():
    listed = ["git", "-C", PROJECT, "ls-files", "-z", "dreamlib", "models", "scripts", "docker"]
    done = subprocess.run(listed, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout: " + done.stderr.strip())
    tracked = {Path(name) for name in done.stdout.split("\0") if name}
    there = {path for path in tracked if (PROJECT / path).exists()}
    assert there <= set(dockerfile.context())


@pytest.mark.parametrize("text", ["RUNN x", "RUN", "HEALTHCHECK x", "run x"])
def test_the_parser_takes_no_nonsense(text):
    with pytest.raises(ValueError, match="not an instruction"):
        dockerfile.parse(text)


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def default(text):
    """The value of a compose file's text where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_the_compose_file_builds_the_images_that_are_there(services):
    for name, service in services.items():
        build = service["build"]
        assert (COMPOSE.parent / build["context"]).resolve() == PROJECT
        path = PROJECT / build["dockerfile"]
        assert path in DOCKERFILES
        known = {words[0].split("=")[0]: words[0].split("=")[1] for words in words_of(path, "ARG")}
        for argument, value in build.get("args", {}).items():
            assert default(value) == known[argument], (name, argument)
    built = {PROJECT / service["build"]["dockerfile"] for service in services.values()}
    assert built == {path for path in DOCKERFILES if path.parent != STUDIO}


def test_the_studios_compose_file_starts_its_image_and_keeps_its_pictures():
    services = yaml.safe_load((STUDIO / "compose.yaml").read_text())["services"]
    (environment,) = words_of(STUDIO / "Dockerfile", "ENV")
    folder = dict(word.split("=", 1) for word in environment)["DREAM_DATA"]
    for name in ("web", "worker"):
        build = services[name]["build"]
        assert (STUDIO / build["context"]).resolve() == PROJECT
        assert PROJECT / build["dockerfile"] == STUDIO / "Dockerfile"
        assert services[name]["volumes"] == [f"pictures:{folder}"]
        module = services[name]["command"][0].replace(".", "/")
        assert (PROJECT / f"{module}.py").is_file() or (PROJECT / module / "__main__.py").is_file()


def test_an_image_of_one_name_is_built_in_one_way(services):
    ways = {}
    for service in services.values():
        assert ways.setdefault(service["image"], service["build"]) == service["build"]


def test_the_compose_file_mounts_pictures_and_models(services):
    for name, service in services.items():
        assert default(service["user"]) == "1000:1000"
        mounts = dict(default(volume).split(":", 1) for volume in service["volumes"])
        assert all((COMPOSE.parent / source).resolve().is_dir() for source in mounts)
        models = {"../models": "/models" if name == "fetch" else "/models:ro"}
        assert mounts == (models if name == "fetch" else {"..": "/pictures", **models})


def test_services_for_gpus_reserve_them_and_others_do_not(services):
    for name, service in services.items():
        if name.endswith("cuda"):
            (device,) = service["deploy"]["resources"]["reservations"]["devices"]
            assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
        else:
            assert "deploy" not in service


def test_weights_are_fetched_by_the_script_of_that_name(services):
    (script,) = services["fetch"]["entrypoint"]
    assert os.access(PROJECT / script.replace("/opt/dreamlib/", ""), os.X_OK)
    name, folder = services["fetch"]["command"]
    assert (PROJECT / folder.lstrip("/")).name == name
    assert (PROJECT / folder.lstrip("/")).is_dir()
