"""The modern image: its scripts run, and its entrypoint dreams, in a folder for a root."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.docker import dockerfile
from tests.docker.dockerfile import PROJECT

INSTALL = "scripts/install.py"
PREPARE = "scripts/prepare_models.py"
COMPILER = "docker/compiler.sh"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What the image has in /opt/dreamlib."""
    folder = tmp_path_factory.mktemp("image") / "dreamlib"
    for path in dockerfile.context():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, folder / path)
    return folder


def run(command, **environment):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    environment.pop("DREAM_MODELS", None)
    done = subprocess.run(
        list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture
def python(tmp_path):
    """A Python without packages, and a folder of this one's packages without PyTorch."""
    venv.create(tmp_path / "python", symlinks=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith("torch"):
            (packages / path.name).symlink_to(path)
    return tmp_path / "python" / "bin" / "python", packages


def provision(project, python, packages, index=""):
    """Install as the image does, from an index."""
    words = next(
        words
        for keyword, words in dockerfile.parse((project / "docker/torch/Dockerfile").read_text())
        if keyword == "RUN" and words[0].endswith(INSTALL)
    )
    arguments = [dockerfile.substitute(word, {"TORCH_INDEX": index}) for word in words[1:]]
    # pip finds the pinned versions among the packages that are there, so that it need not download.
    # What the machine says about where packages come from is left out.
    return run(
        [python, project / INSTALL, *arguments],
        PYTHONPATH=str(packages),
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        PIP_NO_INDEX="" if index else "1",
    )


def write_index(folder, version):
    """Write a package index with a torch of that version, an empty one; return its address."""
    pages = folder / "simple" / "torch"
    pages.mkdir(parents=True)
    wheel = f"torch-{version}-py3-none-any.whl"
    inside = f"torch-{version}.dist-info"
    with zipfile.ZipFile(pages / wheel, "w") as file:
        file.writestr("torch.py", f"__version__ = {version!r}\n")
        file.writestr(
            f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        file.writestr(
            f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{inside}/RECORD", "")
    (pages / "index.html").write_text(f'<a href="{wheel.replace("+", "%2B")}">{wheel}</a>')
    return (folder / "simple").as_uri()


def pinned(project, name):
    lines = (project / "requirements.lock").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(name + "=="))


def test_pytorch_comes_from_the_index_that_is_named_all_else_is_there(project, python, tmp_path):
    interpreter, packages = python
    version = pinned(project, "torch") + "+ours"
    status, said = provision(project, interpreter, packages, write_index(tmp_path, version))
    assert status == 0, said
    assert "is taken without a hash" in said
    (installed,) = interpreter.parent.parent.glob("lib/*/site-packages")
    names = {path.name for path in installed.iterdir()}
    assert names == {"__pycache__", "torch.py", f"torch-{version}.dist-info"}
    _, found = run([interpreter, "-c", "import torch; print(torch.__version__)"])
    assert found.strip() == version


def test_another_version_of_pytorch_than_the_pinned_one_is_not_taken(project, python, tmp_path):
    status, said = provision(project, *python, write_index(tmp_path, "2.12.9"))
    assert status != 0
    assert f"No matching distribution found for torch=={pinned(project, 'torch')}" in said


def test_what_cannot_be_had_ends_the_build(project, python):
    status, said = provision(project, *python)  # PyTorch, which no index has
    assert status != 0
    assert f"No matching distribution found for torch=={pinned(project, 'torch')}" in said


def test_an_unknown_extra_is_refused(project):
    status, said = run([sys.executable, project / INSTALL, "torhc"])
    assert status == 1
    assert "no extra torhc" in said


def test_the_image_makes_its_model_and_dreams_out_of_the_box(project, tmp_path):
    status, said = run([sys.executable, project / PREPARE])
    assert status == 0, said
    # The entrypoint's words, but for where the root is.
    words = next(
        words
        for keyword, words in dockerfile.parse((project / "docker/torch/Dockerfile").read_text())
        if keyword == "ENTRYPOINT"
    )
    assert words[0] == "python3"
    program = words[1].replace("/opt/dreamlib", str(project))
    flags = ["--octaves", "1", "--iterations", "2", "--engine", "torch"]
    status, said = run([sys.executable, program, "noise:96x64", tmp_path / "out.png", *flags])
    assert status == 0, said
    pixels = np.asarray(Image.open(tmp_path / "out.png"))
    assert pixels.shape == (64, 96, 3)
    assert pixels.std() > 10


@pytest.mark.parametrize("triton", [False, True])
def test_a_compiler_is_installed_where_triton_is(tmp_path, triton):
    programs, packages = tmp_path / "bin", tmp_path / "packages"
    for folder in (programs, packages):
        folder.mkdir()
    asked = tmp_path / "asked"
    for name in ("apt-get", "rm"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {asked}\n')
        (programs / name).chmod(0o755)
    if triton:
        (packages / "triton.py").touch()
    # Without site-packages, where a Triton may be.
    code = "#!/bin/sh\nexec " + sys.executable + ' -S "$@"\n'
    (programs / "python3").write_text(code)
    (programs / "python3").chmod(0o755)
    status, said = run([PROJECT / COMPILER], PATH=str(programs) + ":/usr/bin:/bin",
                       PYTHONPATH=str(packages))  # fmt: skip
    assert status == 0, said
    assert asked.exists() == triton
    assert not triton or "install -y -qq --no-install-recommends gcc" in asked.read_text()
