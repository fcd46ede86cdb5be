"""Real Caffe in GPU mode: what is asked of it, in which order, and what is refused how."""

import pytest

from dreamlib import cli, pycaffe
from dreamlib.errors import DreamError
from dreamlib.models import caffe_gpu, engines
from tests import fake_caffe


@pytest.fixture(autouse=True)
def _nothing_is_known_of_any_gpu():
    caffe_gpu.require_gpu.cache_clear()
    yield
    caffe_gpu.require_gpu.cache_clear()


def test_the_device_is_chosen_before_the_mode_after_a_trial_elsewhere(tmp_path, monkeypatch):
    calls = fake_caffe.install(tmp_path, monkeypatch)
    engines.load_caffe("caffe", gpu=3)
    assert calls() == (["set_device(3)", "set_mode_gpu()"],) * 2


def test_a_device_is_tried_once(tmp_path, monkeypatch):
    calls = fake_caffe.install(tmp_path, monkeypatch)
    for _ in range(2):
        engines.load_caffe("caffe", gpu=0)
    ours, trial = calls()
    assert len(ours) == 4
    assert len(trial) == 2


def test_without_a_gpu_nothing_is_tried(tmp_path, monkeypatch):
    calls = fake_caffe.install(tmp_path, monkeypatch)
    engines.load_caffe("caffe")
    assert calls() == (["set_mode_cpu()"], [])


def test_the_torch_engine_is_not_tried(monkeypatch):
    chosen = []
    monkeypatch.setattr(pycaffe, "set_device", chosen.append)
    monkeypatch.setattr(pycaffe, "set_mode_gpu", lambda: chosen.append("gpu"))
    monkeypatch.setattr(caffe_gpu, "require_gpu", lambda gpu: chosen.append("trial"))
    engines.load_caffe("torch", gpu=1)
    assert chosen == [1, "gpu"]


@pytest.mark.parametrize(
    ("fatal", "says"),
    [
        ("Cannot use GPU in CPU-only Caffe: check mode.", "for the CPU alone .*leave --gpu out"),
        (
            "Check failed: error == cudaSuccess (10 vs. 0)  invalid device ordinal",
            "no GPU 7 .*--gpu",
        ),
        (
            "Check failed: error == cudaSuccess (100 vs. 0)  no CUDA-capable device is detected",
            "sees no GPU.*--gpus all",
        ),
        (
            "Check failed: error == cudaSuccess (35 vs. 0)  CUDA driver version is insufficient "
            "for CUDA runtime version",
            "driver here is missing or older",
        ),
        (
            "Check failed: error == cudaSuccess (209 vs. 0)  no kernel image is available for "
            "execution on the device",
            "not built for GPU 7.*--engine torch",
        ),
        (
            "Check failed: status == CUDNN_STATUS_SUCCESS (6 vs. 0)  CUDNN_STATUS_ARCH_MISMATCH",
            r"on GPU 7: Check failed: .* \(6 vs. 0\)  CUDNN_STATUS_ARCH_MISMATCH; use",
        ),
    ],
)
def test_what_ends_caffe_is_refused_and_this_process_goes_on(tmp_path, monkeypatch, fatal, says):
    calls = fake_caffe.install(tmp_path, monkeypatch, fatal)
    with pytest.raises(DreamError, match=says):
        engines.load_caffe("caffe", gpu=7)
    assert calls() == ([], ["set_device(7)"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("import os\ndef set_mode_gpu(): os._exit(9)", "GPU 0: ended with status 9"),
        ("def set_mode_gpu(): raise RuntimeError('out of tune')", "RuntimeError: out of tune"),
    ],
)
def test_another_end_is_shown_as_it_is(tmp_path, monkeypatch, more, says):
    fake_caffe.install(tmp_path, monkeypatch, more=more)
    with pytest.raises(DreamError, match=says):
        engines.load_caffe("caffe", gpu=0)


def test_a_gpu_that_computes_nonsense_is_refused(tmp_path, monkeypatch):
    half = """
from dreamlib import pycaffe

class Net(pycaffe.Net):
    def forward(self):
        self.blobs["data"].data[...] /= 2
        return super().forward()
"""
    fake_caffe.install(tmp_path, monkeypatch, more=half)
    with pytest.raises(DreamError, match=r"must give 27 gave 13\.5"):
        engines.load_caffe("caffe", gpu=0)


def test_the_command_refuses_a_caffe_without_cuda(tmp_path, monkeypatch, capsys):
    fake_caffe.install(tmp_path, monkeypatch, "Cannot use GPU in CPU-only Caffe: check mode.")
    monkeypatch.chdir(tmp_path)
    flags = ["--engine", "caffe", "--gpu", "--quiet", "--model", "efficientnet_lite0"]
    assert cli.main(["noise:32x32", "out.png", *flags]) == 2
    assert "built for the CPU alone" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
