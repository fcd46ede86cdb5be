"""CPU and GPU mode. What needs CUDA is skipped without it."""

import numpy as np
import pytest
import torch

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe import device
from tests.nets import INCEPTION
from tests.pycaffe.nets import make_net, relative


@pytest.fixture(autouse=True)
def cpu_afterwards():
    yield
    caffe.set_mode_cpu()


# -- the modes themselves -------------------------------------------------------------------------


def test_gpu_mode_without_cuda_says_so_and_stays_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(caffe.CaffeError, match=r"no CUDA device; run without --gpu"):
        caffe.set_mode_gpu()
    assert device.current_device() == torch.device("cpu")


def test_a_gpu_that_does_not_exist_is_refused_with_the_number_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(caffe.CaffeError, match=r"no GPU 2: PyTorch sees 2"):
        caffe.set_device(2)


@pytest.mark.parametrize("gpu_first", [True, False])
def test_device_and_mode_may_be_set_in_either_order(monkeypatch, gpu_first):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device, "_gpu", 0)
    if gpu_first:
        caffe.set_device(1)
        caffe.set_mode_gpu()
    else:
        caffe.set_mode_gpu()
        caffe.set_device(1)
    assert device.current_device() == torch.device("cuda", 1)


def test_gpu_mode_convolves_in_full_float32(monkeypatch):
    """PyTorch's default rounds to 10 bits, an error of 1e-3."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(device, "_gpu", 0)
    caffe.set_mode_gpu()
    assert torch.backends.cudnn.allow_tf32 is False


def test_set_device_on_a_machine_without_gpu_is_harmless(monkeypatch):
    """Scripts of 2015 call it before they choose the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "_gpu", 0)
    caffe.set_device(3)
    caffe.set_mode_cpu()
    assert device.current_device() == torch.device("cpu")


def test_a_seed_repeats_fillers_and_dropout(tmp_path):
    text = """
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 30 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
      inner_product_param { num_output: 50 weight_filler { type: "gaussian" } } }
    layer { name: "drop" type: "Dropout" bottom: "ip" top: "drop" }
    """

    def run(seed):
        net = make_net(tmp_path, text, caffe.TRAIN, seed=seed)
        net.blobs["x"].data[...] = 1
        return net.forward()["drop"].copy()

    np.testing.assert_array_equal(run(4), run(4))
    assert (run(4) != run(5)).any()


# -- on a GPU -------------------------------------------------------------------------------------


def dream_gradient(net, end="mixed/output"):
    net.blobs["data"].data[...] = np.random.RandomState(0).uniform(-100, 100, (1, 3, 64, 64))
    top = net.forward(end=end)[end]
    net.blobs[end].diff[...] = top
    net.backward(start=end)
    return top.copy(), net.blobs["data"].diff.copy()


@pytest.mark.gpu
class TestOnTheGpu:
    def test_forward_and_backward_equal_the_cpus(self, tmp_path):
        net = make_net(tmp_path, INCEPTION)
        expected = dream_gradient(net)
        caffe.set_mode_gpu()
        for value, reference in zip(dream_gradient(net), expected):
            assert relative(value, reference) < 1e-4

    @pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 5e-2), ("float16", 5e-3)])
    def test_lower_precision_is_near(self, tmp_path, precision, bound):
        expected = dream_gradient(make_net(tmp_path, INCEPTION))
        caffe.set_mode_gpu()
        low = make_net(tmp_path, INCEPTION, precision=precision)
        for value, reference in zip(dream_gradient(low), expected):
            assert relative(value, reference) < bound

    def test_layers_leave_their_results_on_the_gpu_until_they_are_asked_for(self, tmp_path):
        caffe.set_mode_gpu()
        net = make_net(tmp_path, INCEPTION)
        net.forward()
        memory = net.blobs["mixed/output"].data_memory
        assert memory._tensor.device.type == "cuda"
        assert memory._array is None
        assert net.blobs["mixed/output"].data.any()

    def test_what_is_written_after_forward_is_what_the_next_layer_reads(self, tmp_path):
        caffe.set_mode_gpu()
        net = make_net(tmp_path, INCEPTION)
        dream_gradient(net)
        net.forward()
        net.blobs["classifier"].data[...] = 0
        np.testing.assert_allclose(net.forward(start="prob")["prob"], 0.1, rtol=1e-6)

    def test_an_array_asked_for_again_is_up_to_date(self, tmp_path):
        caffe.set_mode_gpu()
        net = make_net(tmp_path, INCEPTION)
        held = net.blobs["conv1"].data
        dream_gradient(net)
        assert net.blobs["conv1"].data.any()
        assert np.shares_memory(held, net.blobs["conv1"].data)

    def test_a_written_parameter_is_used_after_a_pass(self, tmp_path):
        caffe.set_mode_gpu()
        net = make_net(tmp_path, INCEPTION)
        net.forward()
        for blob in net.params["classifier"]:
            blob.data[...] = 0
        np.testing.assert_allclose(net.forward()["prob"], 0.1, rtol=1e-6)

    def test_modes_may_alternate(self, tmp_path):
        net = make_net(tmp_path, INCEPTION)
        expected = dream_gradient(net)
        for mode in (caffe.set_mode_gpu, caffe.set_mode_cpu, caffe.set_mode_gpu):
            mode()
            for value, reference in zip(dream_gradient(net), expected):
                assert relative(value, reference) < 1e-4
