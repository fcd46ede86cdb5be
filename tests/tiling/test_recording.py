"""Passes that are recorded once and then repeated: on a GPU as CUDA graphs, here as a list."""

import contextlib
import importlib

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dreamlib import pycaffe as caffe
from dreamlib.ascent import objectives
from dreamlib.ascent.guides import channel_guide, guide
from dreamlib.ascent.objectives import Objective, Term, objective_L2
from dreamlib.ascent.style import style
from dreamlib.errors import DreamError
from dreamlib.pycaffe import device
from dreamlib.tiling import network as networks
from dreamlib.tiling import recording
from dreamlib.tiling.network import TensorNetwork
from dreamlib.tiling.recording import REMEMBERED, UNRECORDED, CudaRecorder, Recordings
from tests.nets import small_classifier
from tests.tiling.test_stepper import APART, PLACE, SCALE, _Nowhere, canvas_of, stepper_of

END, LOW = "mixed/output", "conv1"


class _Listing(TorchDispatchMode):
    """Lists the operators that PyTorch is asked for, with what they read and where they wrote."""

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        result = operator(*arguments, **(keywords or {}))
        self.asked.append((operator, arguments, keywords or {}, result))
        return result

    def __enter__(self):
        self.asked = []
        return super().__enter__()


class ListRecorder:
    """What `CudaRecorder` does, on a CPU: operators are asked for again, of the same memory.

    Python does not run again, nor does what numpy reads; and nothing has a value before the first
    repetition.
    """

    def __init__(self):
        self.recorded = 0

    def __call__(self, action):
        with _Listing() as listing:
            result = action()
        self.recorded += 1
        result.fill_(float("nan"))

        def repeat():
            with torch.no_grad():
                for operator, arguments, keywords, old in listing.asked:
                    new = operator(*arguments, **keywords)
                    for there, made in zip(tree_leaves(old), tree_leaves(new)):
                        if isinstance(there, torch.Tensor) and there is not made:
                            there.detach().copy_(made)

        repeat()
        return repeat, result


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A net whose passes are PyTorch's alone, as on a GPU: none of our kernels for the CPU."""
    monkeypatch.setattr(importlib.import_module("dreamlib.pycaffe.layers"), "FEW", 1 << 62)
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    return net


def recording_network(net):
    network = TensorNetwork(net)
    network._recordings = Recordings(ListRecorder())
    return network


def pictures(count, height=64, width=80):
    random = np.random.RandomState(0)
    return [torch.from_numpy(np.float32(random.rand(3, height, width))) for _ in range(count)]


def gradients(network, shown, objective=objective_L2, end=END):
    """The gradient at each of several pictures, in the network's buffer."""
    found = []
    network.reserve(shown[0][0].numel())
    for values in shown:
        image = network.picture(*values.shape[1:])
        image[:] = values
        found.append(network.gradient(image, end, objective).clone())
    return found


def _features(net, layer):
    return np.random.RandomState(1).rand(net.blobs[layer].channels, 5, 7).astype(np.float32)


STEADY = {
    "the notebook's": lambda net: objective_L2,
    "a layer": lambda net: objectives.l2(END),
    "channels": lambda net: objectives.l2(END, [1, 3]) + objectives.mean(LOW, [0, 2]),
    "two layers": lambda net: objectives.l2(END) - 0.5 * objectives.mean(LOW),
    "a neuron": lambda net: objectives.neuron(END, 2),
    "a guide": lambda net: guide(END, _features(net, END)),
    "a guide's channels": lambda net: channel_guide(END, _features(net, END)),
    "a style": lambda net: style(END, _features(net, END)),
}


@pytest.mark.parametrize("objective", STEADY.values(), ids=STEADY)
def test_recorded_passes_have_the_bits_of_those_that_are_not(net, objective):
    shown, objective = pictures(UNRECORDED + 3), objective(net)
    network = recording_network(net)
    expected = gradients(TensorNetwork(net), shown, objective)
    found = gradients(network, shown, objective)
    assert network._recordings._record.recorded == 1
    for one, other in zip(found, expected):
        assert torch.equal(one, other)
    assert not torch.equal(found[-1], found[-2])


def test_a_recorded_step_is_the_step_of_one_that_is_not(net):
    results = []
    for recorded in (False, True):
        stepper, canvas = stepper_of(net, tile_steps=3), canvas_of("uint16")
        stepper.quantizer = type(stepper.quantizer)(stepper.quantizer.rule, "uint16")
        if recorded:
            stepper._network = recording_network(net)
        for _ in range(3):
            sums = [found for _, found in stepper.steps(PLACE, SCALE, APART, canvas, canvas)]
        results.append((canvas.array().copy(), sums))
    assert stepper._network._recordings._record.recorded > 0
    np.testing.assert_array_equal(results[1][0], results[0][0])
    assert results[1][1] == results[0][1]


def test_sizes_are_recorded_each_for_itself_and_may_alternate(net):
    small, large = (pictures(UNRECORDED + 2, *size) for size in ((48, 48), (64, 80)))
    shown = [picture for pair in zip(large, small) for picture in pair]
    network = recording_network(net)
    expected = gradients(TensorNetwork(net), shown)
    for one, other in zip(gradients(network, shown), expected):
        assert torch.equal(one, other)
    assert network._recordings._record.recorded == 2


def test_weights_that_change_are_seen(net):
    shown = pictures(UNRECORDED + 2)
    network = recording_network(net)
    gradients(network, shown)
    net.params[LOW][0].data[...] *= 2
    found = network.gradient(network.picture(64, 80), END, objective_L2).clone()
    assert torch.equal(found, gradients(TensorNetwork(net), shown[-1:])[0])


def test_a_larger_picture_buffer_makes_earlier_recordings_void(net):
    network = recording_network(net)
    gradients(network, pictures(UNRECORDED + 2))
    network.reserve(100 * 100)
    assert not network._recordings._known


class _Mask:
    def part(self, window, size):
        return np.ones(window[2:], np.float32)


def _user_adds(data, diff, weight):
    diff += weight * data


def _acts_on_arrays(blob):
    blob.diff[...] = blob.data


UNSTEADY = {
    "a function of arrays": _acts_on_arrays,
    "a user's term": Objective([Term(END, _user_adds, 1.0, "a user's")]),
    "a mask": Objective([objectives.l2(END).terms[0]._replace(mask=_Mask())]),
}


@pytest.mark.parametrize("objective", UNSTEADY.values(), ids=UNSTEADY)
def test_what_may_look_at_values_is_never_recorded(net, objective):
    network = recording_network(net)
    network.reserve(64 * 80)
    for _ in range(UNRECORDED + 2):
        network.gradient(network.picture(64, 80), END, objective, lambda mask: np.ones((64, 80)))
    assert network._recordings._record.recorded == 0


def test_a_net_with_a_layer_of_the_users_is_never_recorded(net, monkeypatch):
    network = recording_network(net)
    assert network._steady(END, objective_L2)
    monkeypatch.setattr(type(net.layers[3]), "shaped_by_values", True)
    assert not network._steady(END, objective_L2)


def test_a_pass_that_comes_once_is_not_recorded():
    recorder = ListRecorder()
    recordings = Recordings(recorder)
    for key in range(3 * REMEMBERED):
        recordings.run(key, lambda: torch.zeros(1))
    assert (recorder.recorded, len(recordings._known)) == (0, REMEMBERED)


def test_the_passes_used_last_are_remembered():
    recorder = ListRecorder()
    recordings = Recordings(recorder)
    for turn in range(UNRECORDED + 1):
        recordings.run("often", lambda: torch.zeros(1))
        for number in range(REMEMBERED - 1):
            recordings.run((turn, number), lambda: torch.zeros(1))
    assert recorder.recorded == 1


class _OnlyTheDevice(TorchDispatchMode):
    """Refuses operators that take values from the host: a graph would keep those of one step."""

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        result = operator(*arguments, **(keywords or {}))
        tensors = [x for x in tree_leaves((arguments, keywords)) if isinstance(x, torch.Tensor)]
        travelling = [x for x in tensors if x.device.type == "cpu" and x.dim()]
        makes = isinstance(result, torch.Tensor) and result.device.type == "meta"
        assert not (travelling and makes), f"{operator} takes values from the host"
        if tensors and operator.overloadpacket.__name__ in ("_to_copy", "copy_"):
            assert all(x.device.type == "meta" for x in tensors), f"{operator} copies to the device"
        return result


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("which", STEADY)
def test_what_is_recorded_asks_the_host_for_nothing(tmp_path, monkeypatch, which, precision):
    monkeypatch.setattr(device, "_device", torch.device("meta"))
    monkeypatch.setattr(networks, "CudaTransfer", _Nowhere)
    net = small_classifier(tmp_path, precision=precision)
    net.keep_intermediates = False
    network, image = TensorNetwork(net), torch.empty(3, 64, 80, device="meta")
    objective = STEADY[which](net)
    for _ in range(UNRECORDED):
        network.gradient(image, END, objective)
    with _OnlyTheDevice():
        network.gradient(image, END, objective)


def test_the_numbers_of_channels_travel_to_the_device_once():
    """PyTorch makes a tensor there of a list, where no `TorchDispatchMode` sees it."""
    held, data = {}, torch.zeros(1, 5, 2, 2)
    first = objectives._channels_of([1, 3], data, held)
    assert first is objectives._channels_of([1, 3], data, held)
    assert first.tolist() == [1, 3]


class _Cuda:
    """Stands for what `CudaRecorder` asks of `torch.cuda`: notes where graphs are recorded."""

    class Graph:
        def replay(self):
            """Do nothing: nothing was recorded."""

    def __init__(self, monkeypatch):
        self.pools, self.streams, self._handles = [], [], iter(range(100))
        for name, stand_in in {
            "CUDAGraph": self.Graph, "graph": self._graph, "device": contextlib.nullcontext,
            "graph_pool_handle": lambda: next(self._handles),
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, stand_in)
        monkeypatch.setattr(recording, "_stream", lambda device: f"stream of {device}")

    def _graph(self, graph, pool, stream, capture_error_mode):
        self.pools.append(pool)
        self.streams.append(stream)
        return contextlib.nullcontext()


def test_a_pass_that_cannot_be_recorded_is_refused_in_words(monkeypatch):
    def fails():
        raise RuntimeError("operation not permitted when stream is capturing")

    _Cuda(monkeypatch)
    with pytest.raises(DreamError, match=r"CUDA graph.*not permitted.*DREAM_PLAIN_GPU=1"):
        CudaRecorder(torch.device("cuda", 0))(fails)


def test_graphs_share_their_memory_until_all_are_given_up(monkeypatch):
    """PyTorch asserts that a pool which is taken again has a graph."""
    cuda = _Cuda(monkeypatch)
    recordings = Recordings(CudaRecorder(torch.device("cuda", 0)))
    for _ in range(2):
        for key in ("large", "small"):
            for _ in range(UNRECORDED + 2):
                recordings.run(key, lambda: torch.zeros(1))
        recordings.forget()
    assert cuda.pools == [0, 0, 1, 1]


def test_each_device_is_recorded_on_a_stream_of_its_own(monkeypatch):
    cuda = _Cuda(monkeypatch)
    for number in (0, 1):
        CudaRecorder(torch.device("cuda", number))(lambda: None)
    assert cuda.streams == ["stream of cuda:0", "stream of cuda:1"]


@pytest.mark.gpu
class TestOnTheGpu:
    @pytest.fixture(autouse=True)
    def gpu_mode(self):
        caffe.set_mode_gpu()
        yield
        caffe.set_mode_cpu()

    @pytest.mark.parametrize("objective", STEADY.values(), ids=STEADY)
    def test_a_graphs_gradient_is_that_of_its_operators(self, net, objective, monkeypatch):
        shown, objective = pictures(UNRECORDED + 3), objective(net)
        network = TensorNetwork(net)
        found = gradients(network, shown, objective)
        assert not isinstance(next(iter(network._recordings._known.values())), int)
        monkeypatch.setenv(device.PLAIN, "1")
        for one, other in zip(found, gradients(TensorNetwork(net), shown, objective)):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)

    def test_larger_pictures_are_recorded_anew(self, net):
        """With a matrix product, whose library keeps memory of the first graph."""
        network = TensorNetwork(net)
        objective = style(END, _features(net, END))
        for side in (48, 64, 80):
            gradients(network, pictures(UNRECORDED + 2, side, side), objective)
            assert not isinstance(next(iter(network._recordings._known.values())), int)
