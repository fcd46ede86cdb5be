"""What is installed is what was pinned: requirements.lock, install.py, and what updates pins."""

from __future__ import annotations

import hashlib
import http.server
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import venv
import zipfile
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "scripts"))

import install  # noqa: E402 - a script
import update_bases  # noqa: E402
import update_pins  # noqa: E402

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = install.read_lock((PROJECT / "requirements.lock").read_text())
EXTRAS = list(PYPROJECT["project"]["optional-dependencies"])


# The lock


def test_every_package_of_the_lock_has_hashes_and_nothing_else_is_in_it():
    text = (PROJECT / "requirements.lock").read_text()
    version = r"[\w.-]+==[\w.!+]+( ; [^\\\n]+)?"
    entry = rf"{version}( \\\n    --hash=sha256:[0-9a-f]{{64}})+\n    # via [^\n]+\n"
    assert re.fullmatch(rf"(#[^\n]*\n)*({entry})+", text)
    assert len(LOCK) > 100


def test_the_lock_has_all_that_the_project_asks_for_in_versions_that_it_allows():
    asked = install.requirements(PYPROJECT["project"], EXTRAS)
    for line in asked + PYPROJECT["build-system"]["requires"] + list(install.BUILDERS):
        pin = LOCK[install.name_of(line)]
        for version in pin.version.split(" or "):
            assert Requirement(line).specifier.contains(version), line


def test_what_a_package_needs_is_installed_with_it():
    checked = 0
    for name in LOCK:
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform, or not asked for here
        there = install.closure(LOCK, [name])
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                checked += 1
                assert install.name_of(need.name) in there, f"{name} needs {need}"
    assert checked > 100


def test_what_comes_with_cuda_is_installed_without_it_where_an_extra_names_it():
    for extra, named in (("torch", False), ("gpu-kernels", True)):
        asked = install.requirements(PYPROJECT["project"], [extra])
        found = install.closure(LOCK, map(install.name_of, asked))
        assert [name for name in found if name.startswith(install.CUDA)] == ["triton"] * named


def test_an_extra_that_is_made_of_others_is_taken_apart():
    asked = install.requirements(PYPROJECT["project"], ["studio-cluster"])
    assert {"redis", "whitenoise", "torch>=2.4", "numpy>=1.19"} <= set(asked)
    assert not [line for line in asked if line.startswith("dreamlib")]


def test_nothing_is_in_the_lock_that_no_extra_needs():
    asked = install.requirements(PYPROJECT["project"], EXTRAS)
    wanted = install.closure(LOCK, map(install.name_of, [*asked, *install.BUILDERS]))
    assert [name for name in LOCK if name not in wanted and not name.startswith(install.CUDA)] == []


# Installing by it


def write_wheel(folder, name, version, needs=()):
    """Write a wheel with a module of its name; return its hash, as pip wants it."""
    module, inside = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{module}.py", f"__version__ = {version!r}\n")
        file.writestr(
            f"{inside}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            + "".join(f"Requires-Dist: {need}\n" for need in needs),
        )
        file.writestr(
            f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{inside}/RECORD", "")
    return "--hash=sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


class Small:
    """A project that needs a package and PyTorch, wheels of them all, and a Python without any."""

    def __init__(self, folder, torch="2.0", torch_needs=()):
        self.folder, self.wheels = folder, folder / "wheels"
        (folder / "scripts").mkdir()
        shutil.copy(PROJECT / "scripts/install.py", folder / "scripts")
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "dreamlib"\nversion = "1"\ndependencies = ["small>=1"]\n'
            '[project.optional-dependencies]\ntorch = ["torch>=2"]\n'
        )
        self.hashes = {
            "small==1": write_wheel(self.wheels, "small", "1"),
            "torch==2.0": write_wheel(self.wheels, "torch", torch, torch_needs),
            "nvidia-fast==3": write_wheel(self.wheels, "nvidia-fast", "3"),
        }
        venv.create(folder / "python", symlinks=True)
        (folder / "packages").mkdir()
        pip = Path(sysconfig.get_path("purelib")) / "pip"
        (folder / "packages/pip").symlink_to(pip)

    def install(self, *extras):
        via = {"nvidia-fast==3": "torch"}
        entries = [
            f"{k} \\\n    {v}\n    # via {via.get(k, 'x')}\n" for k, v in self.hashes.items()
        ]
        (self.folder / "requirements.lock").write_text("".join(entries))
        return self.run(self.folder / "scripts/install.py", *extras)

    def run(self, *arguments):
        done = subprocess.run(
            [self.folder / "python/bin/python", *arguments], capture_output=True, text=True,
            check=False, timeout=60, env={
                **os.environ, "PYTHONPATH": str(self.folder / "packages"), "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull,
            },
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def installed(self):
        (packages,) = self.folder.glob("python/lib/*/site-packages")
        return sorted(path.stem for path in packages.glob("*.py"))


def test_packages_are_installed_without_those_of_other_extras(tmp_path):
    small = Small(tmp_path)
    status, said = small.install()
    assert status == 0, said
    assert small.installed() == ["small"]


def test_a_package_of_another_hash_is_refused_and_nothing_of_it_is_left(tmp_path):
    small = Small(tmp_path)
    small.hashes["small==1"] = "--hash=sha256:" + "0" * 64
    status, said = small.install()
    assert status != 0
    assert "DO NOT MATCH THE HASHES" in said
    assert small.installed() == []


def test_a_build_of_pytorch_is_known_by_its_hash_and_brings_no_cuda_that_it_does_not_need(tmp_path):
    small = Small(tmp_path, torch="2.0+cpu")
    status, said = small.install("torch")
    assert status == 0, said
    assert small.installed() == ["small", "torch"]
    # A second time, nothing is looked for.
    shutil.rmtree(small.wheels)
    status, said = small.install("torch")
    # Debian 12's own pip tells of what later ones do otherwise, at each use of --no-binary.
    said = [line for line in said.splitlines() if not line.startswith("DEPRECATION: --no-binary")]
    assert (status, said) == (0, [])


def test_a_build_of_pytorch_for_cuda_brings_the_locks(tmp_path):
    small = Small(tmp_path, torch_needs=["nvidia-fast==3; sys_platform == 'linux'"])
    status, said = small.install("torch")
    assert status == 0, said
    assert small.installed() == ["nvidia_fast", "small", "torch"]


def test_an_unknown_build_of_pytorch_is_refused_with_the_way_to_take_it(tmp_path):
    small = Small(tmp_path, torch="2.0+ours")
    small.hashes["torch==2.0"] = "--hash=sha256:" + "0" * 64
    status, said = small.install("torch")
    assert status != 0
    assert "has no hash of torch-2.0+ours-py3-none-any.whl" in said
    assert "TORCH_INDEX=ADDRESS make setup" in said
    assert "torch" not in small.installed()


def test_what_the_lock_forgot_ends_the_installation(tmp_path):
    small = Small(tmp_path)
    small.hashes["small==1"] = write_wheel(small.wheels, "small", "1", ["forgotten"])
    status, said = small.install()
    assert status != 0
    assert "No matching distribution found for forgotten" in said


# Updating


def test_hashes_that_the_index_does_not_list_stay_with_pytorch():
    listed, ours = ("--hash=sha256:" + digit * 64 for digit in "ba")
    text = f"torch==2.0 \\\n    {listed}\n    # via x\nzipp==4 \\\n    {listed}\n    # via x\n"
    new = update_pins.with_hashes(text, f"torch==2.0 \\\n    {ours}")
    assert install.read_lock(new)["torch"].line == f"torch==2.0 \\\n    {ours} \\\n    {listed}"
    assert install.read_lock(new)["zipp"] == install.read_lock(text)["zipp"]


def test_an_update_asks_for_all_hashes_anew_and_says_what_changed():
    text = (PROJECT / "requirements.lock").read_text()
    bare = install.read_lock(update_pins.without_hashes(text))
    assert {name: pin.version for name, pin in bare.items()} == {
        name: pin.version for name, pin in LOCK.items()
    }
    assert not any("--hash" in pin.line for pin in bare.values())
    newer = {**LOCK, "numpy": install.Pin("99", "numpy==99", set()), "zipp": bare["zipp"]}
    assert list(update_pins.changes(LOCK, newer)) == [
        f"numpy: {LOCK['numpy'].version} -> 99",
        f"zipp: {LOCK['zipp'].version}, other hashes",
    ]


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry of images that asks for a token; `server.manifests`: path -> bytes."""

    def do_GET(self):
        path, _, asked = self.path.partition("?")
        if path == "/token":
            return self.answer(200, b'{"token": "%s"}' % asked.encode())
        if "Authorization" not in self.headers:
            where = f"http://127.0.0.1:{self.server.server_address[1]}/token"
            name = path.removeprefix("/v2/").partition("/manifests")[0]
            ask = f'Bearer realm="{where}",service="hub",scope="repository:{name}:pull"'
            return self.answer(401, b"", {"WWW-Authenticate": ask})
        manifest = self.server.manifests.get(path)
        if manifest is None:
            return self.answer(404, b"")
        digest = hashlib.sha256(manifest).hexdigest()
        return self.answer(
            200, manifest[: self.server.sent], {"Docker-Content-Digest": f"sha256:{digest}"}
        )

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


IMAGES = {
    "library/debian/manifests/11.11-slim": b"debian",
    "library/python/manifests/3.11-slim-bookworm": b"python",
    "duruyao/caffe/manifests/gpu": b"caffe",
    "library/postgres/manifests/17": b"postgres",
    "library/redis/manifests/7": b"redis",
}


@pytest.fixture
def registry():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.manifests = {f"/v2/{path}": manifest for path, manifest in IMAGES.items()}
    server.sent = None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def update(registry, folder):
    if not folder.exists():
        shutil.copytree(PROJECT / "docker", folder)
    address = f"http://127.0.0.1:{registry.server_address[1]}"
    return update_bases.main(["--registry", address, "--docker", str(folder)])


def texts(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_digests_are_written_behind_the_tags_and_anew(registry, tmp_path, capsys):
    folder = tmp_path / "docker"
    assert update(registry, folder) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(IMAGES)
    digest = "sha256:" + hashlib.sha256(b"debian").hexdigest()
    assert f"ARG BASE=debian:11.11-slim@{digest}\n" in (folder / "caffe-cpu/Dockerfile").read_text()
    digest = "sha256:" + hashlib.sha256(b"caffe").hexdigest()
    compose = (folder / "compose.yaml").read_text()
    assert f'BASE: "${{DREAM_CAFFE_CUDA:-duruyao/caffe:gpu@{digest}}}"\n' in compose
    assert "DREAM_USER:-1000:1000}" in compose
    before = texts(folder)
    assert update(registry, folder) == 0
    assert texts(folder) == before
    registry.manifests["/v2/library/redis/manifests/7"] = b"newer"
    assert update(registry, folder) == 0
    digest = "sha256:" + hashlib.sha256(b"newer").hexdigest()
    assert f"image: redis:7@{digest}\n" in (folder / "studio/compose.yaml").read_text()


@pytest.mark.parametrize("what", ["unknown", "changed"])
def test_a_registry_without_an_image_or_with_a_false_one_changes_nothing(
    registry, tmp_path, capsys, what
):
    if what == "unknown":
        del registry.manifests["/v2/library/redis/manifests/7"]
    else:
        registry.sent = 3
    assert update(registry, tmp_path / "docker") == 2
    says = {"unknown": "asked for redis:7: ", "changed": "but its manifest has sha256:"}
    assert says[what] in capsys.readouterr().err
    assert texts(tmp_path / "docker") == {
        tmp_path / "docker" / path.relative_to(PROJECT / "docker"): text
        for path, text in texts(PROJECT / "docker").items()
    }
