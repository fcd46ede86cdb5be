"""The images with real Caffe: all lines of their Dockerfiles, run in a copy of Debian 11's root."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.docker.dockerfile import PROJECT
from tests.docker.image import Image, copy_of
from tests.embedded import prepared_model
from tests.nets import write_random_net
from tests.real_caffe import root
from tests.webserver import serving

pytestmark = pytest.mark.usefixtures("real_caffe")


@pytest.fixture(scope="module", params=["caffe-cpu", "caffe-cuda"])
def image(request, tmp_path_factory):
    """An image whose base is the root where real Caffe lives, models mounted, so to say.

    The published base of caffe-cuda cannot be had here: Debian's Caffe, without CUDA, stands in.
    """
    with copy_of(root.find(), tmp_path_factory.mktemp("image")) as base:
        image = Image(PROJECT / "docker" / request.param / "Dockerfile", base)
        name = prepared_model().name
        shutil.copytree(PROJECT / "models" / name, base / "models" / name)
        yield image


def dreamt(image, name):
    path = image.root / "pictures" / name
    return np.asarray(Pillow.open(path)), path.stat()


def test_the_entrypoint_dreams_on_real_caffe_as_a_user_of_no_power(image):
    result = image.run("noise:96x64", "out.png", "--octaves", "1", "--iterations", "2")
    assert result.returncode == 0, result.stdout
    assert "caffe on CPU" in result.stdout
    pixels, file = dreamt(image, "out.png")
    assert pixels.shape == (64, 96, 3)
    assert pixels.std() > 10
    assert file.st_uid == 1000


def test_any_user_that_docker_is_told_of_can_dream(image):
    (image.root / "pictures").chmod(0o777)  # a folder of theirs, mounted
    home = image.root / image.environment["HOME"].lstrip("/")
    for left in home.iterdir():  # by another user, in what would be another container
        shutil.rmtree(left)
    flags = ["--octaves", "1", "--iterations", "1", "--engine", "caffe"]
    result = image.run("noise:64x64", "theirs.png", *flags, user="4321:4321")
    assert result.returncode == 0, result.stdout
    assert dreamt(image, "theirs.png")[1].st_uid == 4321
    assert "temporary" not in result.stdout  # what matplotlib makes of a home it cannot write to


def test_without_arguments_the_image_tells_what_it_can_do(image):
    result = image.run()
    assert result.returncode == 0
    assert "--octaves" in result.stdout


def test_a_gpu_is_refused_in_words_by_a_caffe_for_the_cpu_alone(image):
    result = image.run("noise:64x64", "gpu.png", "--engine", "caffe", "--gpu")
    assert result.returncode == 2
    assert "built for the CPU alone" in result.stdout
    assert "Traceback" not in result.stdout
    assert "Check failure" not in result.stdout
    assert not (image.root / "pictures" / "gpu.png").exists()


def test_users_cannot_change_the_program(image):
    for folder, _, files in os.walk(image.root / "opt" / "dreamlib"):
        for name in [".", *files]:
            status = os.stat(os.path.join(folder, name))
            assert status.st_uid == 0
            assert not status.st_mode & 0o002


def test_weights_are_fetched_by_the_script_in_the_image(image, tmp_path):
    network = PROJECT / "models" / "bvlc_googlenet" / "deploy.prototxt"
    weights = write_random_net(tmp_path, network.read_text())[1]
    content = Path(weights).read_bytes()
    folder = image.root / "models" / "bvlc_googlenet"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with serving({"/it": content}) as server:
        result = image.run(
            "bvlc_googlenet",
            "/models/bvlc_googlenet",
            entrypoint="/opt/dreamlib/scripts/fetch_model.sh",
            DREAM_MODEL_URL=server.address + "/it",
            DREAM_MODEL_SHA1=hashlib.sha1(content).hexdigest(),
        )
    assert result.returncode == 0, result.stdout
    assert (folder / "bvlc_googlenet.caffemodel").read_bytes() == content
    shutil.rmtree(folder)


def test_the_trials_net_has_its_sum_on_real_caffe(tmp_path):
    program = "import caffe, dreamlib.models.caffe_gpu as it; print(it.compute(caffe))"
    assert root.run(["-c", program], tmp_path).strip() == "None"
