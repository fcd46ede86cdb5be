"""Steps on tiles: those of `make_step`, on arrays and on tensors, one at a time and under way."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dreamlib import pycaffe as caffe
from dreamlib.ascent.objectives import objective_L2
from dreamlib.ascent.regularizers import GradientRules
from dreamlib.ascent.spec import ObjectiveSpec, TermSpec
from dreamlib.dream import make_step
from dreamlib.imaging.filters import gaussian_blur
from dreamlib.imaging.picture import Window
from dreamlib.models.preprocessing import preprocess
from dreamlib.pycaffe import device
from dreamlib.tiling import network as networks
from dreamlib.tiling import recording
from dreamlib.tiling import stepper as module
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.gradient_scale import OWN_SCALE, Scale
from dreamlib.tiling.in_process import InProcess
from dreamlib.tiling.network import ArrayNetwork, TensorNetwork
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.schedule import Tile
from dreamlib.tiling.stepper import Stepper
from dreamlib.tiling.tensor_canvas import TensorCanvas
from dreamlib.tiling.transfer import CARRIERS, HostTransfer, Staging
from tests import dreams
from tests.nets import picture, small_classifier

END = "mixed/output"
DTYPES = ("uint8", "uint16", "float32")
KINDS = (ArrayNetwork, TensorNetwork)
PLACE, SCALE = Place(0, 3, 0), Scale(0.004, None)


@pytest.fixture
def net(tmp_path):
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    return net


def stepper_of(net, kind=TensorNetwork, dtype="uint8", **changes):
    """A stepper on a network of a kind."""
    changes = {"octaves": 1, "iterations": 8, "end": END, "storage": dtype, **changes}
    made = Stepper(net, dreams.dream_of(dreams.options("shift", **changes), (96, 120)))
    made._network = kind(net)
    return made


def canvas_of(dtype, height=96, width=120):
    """A canvas of soft blotches, which makes use of all that its dtype can hold."""
    pixels = picture(height, width).astype(dtype)
    if dtype == "uint16":
        pixels *= 257
        pixels += np.random.RandomState(1).randint(0, 200, pixels.shape).astype(dtype)
        pixels[0, 0] = 65535
    if dtype == "float32":
        pixels -= 120
    return Canvas.of(pixels)


def base_of(dtype):
    """Another canvas than the one that is dreamt."""
    return Canvas.of(np.ascontiguousarray(canvas_of(dtype).array()[::-1]))


def on_device(canvas, device="cpu"):
    """The same canvas in a device's memory."""
    there = TensorCanvas(*canvas.shape[:2], canvas.dtype, canvas.wrap, device=device)
    there.write(Window(0, 0, *canvas.shape[:2]), canvas.array())
    return there


def tile(top=16, left=24, side=48, margin=8, feathered=False):
    """A tile with a margin of context; more on the right, so that rows and columns differ."""
    interior = Window(top, left, side, side + 6)
    window = Window(top - margin, left - margin, side + 2 * margin, side + 6 + 3 * margin)
    if not feathered:
        return Tile(window, interior, interior.height * interior.width)
    random = np.random.RandomState(5)
    weights = [random.rand(length).astype(np.float32) for length in interior[2:]]
    return Tile(window, interior, interior.height * interior.width, *weights)


#: Four that do not touch each other, of three sizes.
APART = [
    tile(top=4, left=4, side=30, margin=4),
    tile(top=4, left=64, side=24, margin=4),
    tile(top=52, left=4, side=30, margin=4, feathered=True),
    tile(top=52, left=64, side=36, margin=4),
]


def stepped(net, kind, tiles, dtype="uint8", scale=SCALE, with_base=False, **changes):
    """The other canvas's pixels, and the sums, of tiles stepped on one after the other."""
    stepper = stepper_of(net, kind, dtype, **changes)
    canvas, target = canvas_of(dtype), canvas_of(dtype)
    base = base_of(dtype) if with_base else None
    sums = []
    for one in tiles:
        [(_, found)] = stepper.steps(PLACE, scale, [one], canvas, target, base)
        sums.append(found)
    assert (canvas.array() == canvas_of(dtype).array()).all()
    return target.array(), sums


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_later_step_of_a_tile_that_is_no_number_shows_in_its_sums(
    net, kind, value, monkeypatch
):  # fmt: skip
    take, taken = kind.gradient, []

    def gradient(network, *given):
        taken.append(take(network, *given))
        if len(taken) == 2:
            taken[-1][0, 20, 20] = value
        return taken[-1]

    monkeypatch.setattr(kind, "gradient", gradient)
    _, [sums] = stepped(net, kind, [tile()], tile_steps=3)
    assert len(taken) == 3
    assert np.isnan(sums[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("input_scale", [None, 0.017])
def test_a_step_on_the_whole_picture_is_make_step(tmp_path, kind, input_scale):
    net = small_classifier(tmp_path, input_scale=input_scale)
    start = preprocess(net, picture(70, 90))
    pixels = np.ascontiguousarray(start[[2, 1, 0]].transpose(1, 2, 0))
    canvas, window = Canvas.of(pixels.copy()), Window(0, 0, 70, 90)
    stepper = stepper_of(net, kind, "float32")
    list(stepper.steps(PLACE, OWN_SCALE, [Tile(window, window, 1)], canvas, canvas))

    net.blobs["data"].reshape(1, 3, 70, 90)
    net.blobs["data"].data[0] = start
    make_step(net, end=END, jitter=0)
    expected = net.blobs["data"].data[0][[2, 1, 0]].transpose(1, 2, 0)
    assert (expected != pixels).any()
    np.testing.assert_array_equal(canvas.array(), expected)


RULES = GradientRules(laplacian=2, smooth=(1.0,), tv=0.5, decay=0.5, anchor=0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tile_steps": 3},
        {"tile_steps": 2, "scale": OWN_SCALE},
        {"clip": False, "step_size": (7.0, 3.0)},
        {"blur": (1.5, 0.5)},
        {"blur": (1.5, 0.5), "with_base": True},
    ],
    ids=str,
)
def test_tensors_step_as_arrays_bit_for_bit(net, dtype, changes):
    tiles = [tile(), tile(top=40, side=40, feathered=True)]
    expected, expected_sums = stepped(net, ArrayNetwork, tiles, dtype, **changes)
    found, sums = stepped(net, TensorNetwork, tiles, dtype, **changes)
    assert sums == expected_sums
    assert (expected != canvas_of(dtype).array()).any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("own", [True, False])
def test_filtered_and_regularized_tensors_step_as_arrays(net, own):
    tiles = [tile(), tile(top=40, side=40, feathered=True)]
    options = {
        "scale": Scale(0.4, None if own else [0.01, 0.02, 0.03]), "gradient": RULES,
        "with_base": True, "tile_steps": 2,
    }  # fmt: skip
    expected, expected_sums = stepped(net, ArrayNetwork, tiles, "float32", **options)
    found, sums = stepped(net, TensorNetwork, tiles, "float32", **options)
    change = np.linalg.norm(expected - canvas_of("float32").array())
    assert change > 1
    assert np.linalg.norm(found - expected) < 1e-3 * change
    assert [len(each) for each in sums] == [1 + RULES.bands] * 2
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-4)


def test_half_precision_steps_alike_too(tmp_path):
    net = small_classifier(tmp_path, precision="bfloat16")
    (expected, expected_sums), (found, sums) = (
        stepped(net, kind, [tile()], tile_steps=2) for kind in KINDS
    )
    assert sums == expected_sums
    np.testing.assert_array_equal(found, expected)


def test_steps_and_blurs_change_over_the_passes(net):
    changes = {"step_size": (8.0, 1.0), "scale": OWN_SCALE}
    stepper = stepper_of(net, dtype="float32", **{k: v for k, v in changes.items() if k != "scale"})
    moved = []
    for number in (0, 7):
        target = canvas_of("float32")
        place = Place(0, number, 0)
        list(stepper.steps(place, OWN_SCALE, [tile(margin=0)], canvas_of("float32"), target))
        moved.append(np.abs(target.array() - canvas_of("float32").array()).sum())
    assert moved[0] > 5 * moved[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_blur_spares_the_undreamt_picture(net, kind):
    """Without steps: what differs from the base is blurred, and nothing else."""
    changes = {"step_size": (0.0, 0.0), "blur": (2.0, 2.0), "clip": False}
    window = Window(0, 0, 96, 120)
    whole = Tile(window, window, 1)
    for with_base in (False, True):
        found, _ = stepped(net, kind, [whole], "float32", with_base=with_base, **changes)
        start = canvas_of("float32").array().transpose(2, 0, 1)
        under = base_of("float32").array().transpose(2, 0, 1) if with_base else 0 * start
        difference = np.ascontiguousarray(start - under)
        gaussian_blur(difference, 2.0)
        np.testing.assert_allclose(found.transpose(2, 0, 1), under + difference, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_active_the_picture_stays(net, kind):
    spec = ObjectiveSpec(END, (TermSpec("l2", END, 1e-60),))  # too small for a float32
    for scale in (OWN_SCALE, Scale(0.0, None)):
        found, sums = stepped(net, kind, [tile()], scale=scale, objective=spec, tile_steps=2)
        assert sums == [(0.0,)]
        np.testing.assert_array_equal(found, canvas_of("uint8").array())


@pytest.mark.parametrize("kind", KINDS)
def test_measure_tells_the_sums_of_a_step_and_changes_nothing(net, kind):
    stepper, canvas = stepper_of(net, kind), canvas_of("uint8")
    measured = stepper.measure(0, tile(), canvas)
    assert (canvas.array() == canvas_of("uint8").array()).all()
    assert [(0, measured)] == list(stepper.steps(PLACE, SCALE, [tile()], canvas, canvas))


@pytest.mark.parametrize("kind", KINDS)
def test_bands_are_measured_over_the_interior_alone(net, kind):
    """By the tile's own deviations all bands are equally strong there."""
    stepper = stepper_of(net, kind, "float32", gradient=GradientRules(laplacian=2))
    one = tile(margin=16)
    sums = stepper.measure(0, one, canvas_of("float32"))
    wider = stepper.measure(0, one._replace(interior=one.window), canvas_of("float32"))
    assert all(0 < inner < outer for inner, outer in zip(sums[1:], wider[1:]))


# -- several tiles under way ----------------------------------------------------------------------


class LateTransfer(HostTransfer):
    """A device's own memory, to and from which all copies arrive late.

    Each direction is a thread. What does not wait for a copy meets the poison or an older tile.
    """

    ahead = 1

    def __init__(self):
        super().__init__(tensors=True)
        self._ways = {name: ThreadPoolExecutor(1) for name in ("up", "down")}
        self.log = []

    def staging(self, count, dtype):
        host = np.full(count, 123, dtype)
        return Staging(host, torch.from_numpy(host.copy().view(CARRIERS[dtype])))

    def _send(self, way, copies):
        def copy():
            time.sleep(0.02)
            for target, source in copies:
                target[:] = source

        self.log.append(way)
        return self._ways[way].submit(copy)

    def upload(self, parts):
        return self._send(
            "up",
            [
                (one.device[:count].numpy(), one.host[:count].view(one.device.numpy().dtype))
                for one, count in parts
            ],
        )

    def download(self, parts):
        return self._send(
            "down",
            [
                (one.host[:count].view(one.device.numpy().dtype), one.device[:count].numpy())
                for one, count in parts
            ],
        )

    def wait(self, arrival):
        self.log.append("compute")
        arrival.result()

    def finish(self, arrival):
        self.log.append("finish")
        arrival.result()

    def synchronize(self):
        for way in self._ways.values():
            way.submit(int).result()


def late_network(net):
    network = TensorNetwork(net)
    network.transfer = LateTransfer()
    return network


@pytest.mark.parametrize("where", [lambda canvas: canvas, on_device], ids=["in RAM", "on device"])
@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_under_way_together_are_those_stepped_on_alone(net, dtype, with_base, where):
    changes = {"tile_steps": 2, "blur": (0.7, 0.7)}
    expected, sums = stepped(net, ArrayNetwork, APART, dtype, with_base=with_base, **changes)
    stepper = stepper_of(net, late_network, dtype, **changes)
    for _ in range(2):  # the second time all buffers hold something old
        target, base = where(canvas_of(dtype)), where(base_of(dtype)) if with_base else None
        found = list(stepper.steps(PLACE, SCALE, APART, where(canvas_of(dtype)), target, base))
        assert found == list(enumerate(sums))
        np.testing.assert_array_equal(target.array(), expected)


def test_while_a_tile_is_computed_the_next_is_fetched_and_the_last_delivered(net):
    stepper, canvas = stepper_of(net, late_network), canvas_of("uint8")
    log = stepper._network.transfer.log
    for _ in stepper.steps(PLACE, SCALE, APART, canvas, canvas):
        log.append("yield")
    begin, turn = ["compute", "down"], ["finish", "yield"]
    assert log == [
        "up", "up", *begin, "up", *begin, *turn, "up", *begin, *turn, *begin, *turn, *turn
    ]  # fmt: skip


def test_of_canvases_on_the_device_sums_travel_and_feathers_weights(net):
    stepper, canvas = stepper_of(net, late_network), on_device(canvas_of("uint8"))
    transfer, sent = stepper._network.transfer, []
    for way in ("upload", "download"):
        send = getattr(transfer, way)

        def noted(parts, way=way, send=send):
            sent.append((way, [count for _, count in parts]))
            return send(parts)

        setattr(transfer, way, noted)
    list(stepper.steps(PLACE, SCALE, APART, canvas, canvas))
    feathered = APART[2].interior.height + APART[2].interior.width
    uploads = [counts for way, counts in sent if way == "upload"]
    assert uploads == [[], [], [feathered], []]
    assert [counts for way, counts in sent if way == "download"] == [[1]] * 4


def test_the_same_stepper_takes_canvases_here_and_there(net):
    expected, sums = stepped(net, TensorNetwork, APART)
    stepper = stepper_of(net)
    for where in (on_device, lambda canvas: canvas, on_device):
        target = where(canvas_of("uint8"))
        assert stepper.measure(0, APART[0], where(canvas_of("uint8"))) == sums[0]
        found = list(stepper.steps(PLACE, SCALE, APART, where(canvas_of("uint8")), target))
        assert found == list(enumerate(sums))
        np.testing.assert_array_equal(target.array(), expected)


def test_on_the_cpu_one_tile_is_finished_before_the_next_is_begun(net):
    stepper, canvas = stepper_of(net), canvas_of("uint8")
    stepping = stepper.steps(PLACE, SCALE, APART, canvas, canvas)
    assert next(stepping)[0] == 0
    canvas.array()[:] = 0  # seen by all that comes now
    alone = stepper_of(net).measure(0, APART[1], canvas)
    assert next(stepping)[1] == alone


@pytest.mark.parametrize("where", [lambda canvas: canvas, on_device], ids=["in RAM", "on device"])
@pytest.mark.parametrize("kind", [TensorNetwork, late_network])
def test_steps_closed_early_leave_alone_what_they_have_not_told(net, kind, where):
    stepper, target = stepper_of(net, kind), where(canvas_of("uint8"))
    stepping = stepper.steps(PLACE, SCALE, APART, where(canvas_of("uint8")), target)
    next(stepping)
    stepping.close()
    np.testing.assert_array_equal(target.array(), stepped(net, ArrayNetwork, APART[:1])[0])
    again = canvas_of("uint8")
    list(stepper.steps(PLACE, SCALE, APART, canvas_of("uint8"), again))
    np.testing.assert_array_equal(again.array(), stepped(net, ArrayNetwork, APART)[0])


def test_no_tiles_are_no_work(net):
    canvas = canvas_of("uint8")
    assert list(stepper_of(net).steps(PLACE, SCALE, [], canvas, canvas)) == []


def test_a_process_steps_on_the_tiles_left_of_a_phase(net):
    canvas, target = canvas_of("uint8"), canvas_of("uint8")
    workers = InProcess(stepper_of(net))
    found = list(workers.steps(PLACE, SCALE, APART, [1, 3], canvas, target))
    expected, sums = stepped(net, ArrayNetwork, [APART[1], APART[3]])
    assert found == [(1, sums[0]), (3, sums[1])]
    np.testing.assert_array_equal(target.array(), expected)


# -- memory, and which network --------------------------------------------------------------------


def test_buffers_are_made_for_the_largest_tile_and_kept(net):
    stepper, canvas = stepper_of(net), canvas_of("uint8")
    list(stepper.steps(PLACE, SCALE, APART, canvas, canvas))
    image, slots = stepper._network._image, stepper._slots
    assert image.numel() == 3 * max(one.window.height * one.window.width for one in APART)
    list(stepper.steps(PLACE, SCALE, APART[:2], canvas, canvas))
    stepper.measure(0, APART[2], canvas)
    assert stepper._network._image is image
    assert stepper._slots is slots


def test_no_array_is_asked_of_our_network(net):
    """Arrays would be copied to in every pass, on a GPU down from the device."""
    stepped(net, TensorNetwork, [tile()], tile_steps=2)
    for name, blob in net.blobs.items():
        assert blob.data_memory._array is None, name
        assert blob.diff_memory._array is None, name


def test_our_engine_steps_on_tensors_and_real_caffe_on_arrays(net, monkeypatch):
    assert type(module.network_of(net)) is TensorNetwork
    monkeypatch.setattr(networks, "engine_name", lambda net: "caffe")
    assert type(module.network_of(net)) is ArrayNetwork


class _Nowhere(HostTransfer):
    """Sends tiles to a device that holds no values."""

    def __init__(self, device):
        super().__init__(tensors=True)
        self._device = device

    def staging(self, count, dtype):
        made = super().staging(count, dtype)
        return Staging(made.host, made.device.to(self._device))


class _Asked(TorchDispatchMode):
    """Notes which operators were called."""

    def __torch_dispatch__(self, operator, types, arguments=(), keywords=None):
        self.names.append(operator.overloadpacket.__name__)
        return operator(*arguments, **(keywords or {}))

    def __enter__(self):
        self.names = []
        return super().__enter__()


@pytest.fixture
def nowhere(monkeypatch):
    """Nets run on PyTorch's device ``meta``: shapes without values, and not the CPU's way."""

    def refuse(*arguments, **keywords):
        raise AssertionError("numbers of the host wait on a GPU for all before them")

    monkeypatch.setattr(torch.Tensor, "new_tensor", refuse)
    monkeypatch.setattr(device, "_device", torch.device("meta"))
    monkeypatch.setattr(networks, "CudaTransfer", _Nowhere)


@pytest.mark.parametrize("there", [False, True], ids=["in RAM", "on device"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("changes", [
    {}, {"tile_steps": 3}, {"blur": (0.5, 0.5)}, {"storage": "float32"},
    {"gradient": GradientRules(smooth=(0.7, 1.4), laplacian=3)},
    {"gradient": GradientRules(tv=0.1, decay=0.1)},
], ids=["plain", "steps", "blur", "floats", "bands", "regularized"])  # fmt: skip
def test_a_turn_on_a_device_never_waits_for_its_values(
    tmp_path, nowhere, changes, precision, there
):  # fmt: skip
    """Where one was read PyTorch would raise: there are none."""
    net = small_classifier(tmp_path, precision=precision)
    net.keep_intermediates = False
    dtype = changes.get("storage", "uint8")
    stepper, canvas = stepper_of(net, **{"dtype": dtype, **changes}), canvas_of(dtype)
    canvas = on_device(canvas, "meta") if there else canvas
    for scale in (SCALE, OWN_SCALE):
        assert len(list(stepper.steps(PLACE, scale, APART, canvas, canvas))) == len(APART)


def test_a_phase_of_canvases_on_a_device_is_copied_there(nowhere):
    """Pixels of `meta` that came by the host would be none: PyTorch refuses to read them."""
    canvas, other = (on_device(canvas_of("uint16"), "meta") for _ in range(2))
    canvas.copy(Window(4, 4, 30, 20), other)
    with pytest.raises(NotImplementedError, match="meta"):
        canvas.write(Window(4, 4, 30, 20), other.read(Window(4, 4, 30, 20)))


def test_a_turn_on_a_device_takes_as_many_operators_at_any_size(tmp_path, nowhere):
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    counts = []
    for side in (64, 512, 2048):
        image = torch.empty(3, side, side, device="meta")
        network = TensorNetwork(net)
        network.gradient(image, END, objective_L2)
        with _Asked() as asked:
            network.gradient(image, END, objective_L2)
        counts.append(len(asked.names))
    assert counts[0] == counts[1] == counts[2] < 30 * len(net.layers)


#: Operators that only name memory, or find some.
FREE = {"alias", "as_strided", "detach", "empty", "expand", "permute", "select", "slice",
        "split_with_sizes", "unsqueeze", "view"}  # fmt: skip


def test_beside_its_pass_a_turn_takes_fewer_than_a_hundred_launches(tmp_path, nowhere):
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    stepper, canvas = stepper_of(net), canvas_of("uint8")
    passed, gradient = _Asked(), stepper._network.gradient

    def noted(*arguments):
        with passed:
            return gradient(*arguments)

    stepper._network.gradient = noted
    with _Asked() as asked:
        list(stepper.steps(PLACE, SCALE, APART[:1], canvas, canvas))
    turn, own = ([name for name in one.names if name not in FREE] for one in (asked, passed))
    assert len(own) > 20
    assert 50 < len(turn) - len(own) < 100


@pytest.mark.gpu
class TestOnTheGpu:
    @pytest.fixture(autouse=True)
    def gpu_mode(self):
        yield
        caffe.set_mode_cpu()

    @pytest.mark.parametrize("tile_steps", [1, 3])
    def test_float_canvases_are_the_cpus_within_the_networks_error(self, net, tile_steps):
        expected, expected_sums = stepped(
            net, TensorNetwork, APART, "float32", tile_steps=tile_steps
        )
        caffe.set_mode_gpu()
        found, sums = stepped(net, TensorNetwork, APART, "float32", tile_steps=tile_steps)
        np.testing.assert_allclose(sums, expected_sums, rtol=1e-4)
        change = np.linalg.norm(expected - canvas_of("float32").array())
        assert np.linalg.norm(found - expected) < 1e-3 * change

    @pytest.mark.parametrize(("dtype", "bound"), [("uint8", 1), ("uint16", 64)])
    def test_integers_differ_where_the_network_does_and_by_little(self, net, dtype, bound):
        expected, _ = stepped(net, TensorNetwork, APART, dtype)
        caffe.set_mode_gpu()
        found, _ = stepped(net, TensorNetwork, APART, dtype)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= bound
        assert (difference > bound // 16).mean() < 0.01

    def test_nothing_more_is_allocated_after_the_first_tiles(self, net, monkeypatch):
        monkeypatch.setattr(recording, "UNRECORDED", 2)
        caffe.set_mode_gpu()
        stepper, canvas = stepper_of(net, tile_steps=2), canvas_of("uint8")
        allocated = []
        for _ in range(4):
            list(stepper.steps(PLACE, SCALE, APART, canvas, canvas))
            allocated.append(torch.cuda.memory_allocated())
        assert allocated[1:] == allocated[1:2] * 3

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_tiles_of_canvases_on_the_card_are_those_of_canvases_in_ram(self, net, dtype):
        caffe.set_mode_gpu()
        stepper, results = stepper_of(net, dtype=dtype), []
        for where in (lambda canvas: canvas, lambda canvas: on_device(canvas, "cuda")):
            target = where(canvas_of(dtype))
            sums = list(stepper.steps(PLACE, SCALE, APART, where(canvas_of(dtype)), target))
            results.append((target.array(), [value for _, value in sums]))
        (expected, in_ram), (found, on_card) = results
        np.testing.assert_allclose(on_card, in_ram, rtol=1e-5)
        change = np.linalg.norm(expected.astype(float) - canvas_of(dtype).array())
        assert change > 0
        assert np.linalg.norm(found.astype(float) - expected) < 1e-2 * change

    def test_canvases_on_the_card_take_their_bytes_there(self, net):
        before = torch.cuda.memory_allocated()
        canvas = TensorCanvas(1024, 2048, "uint16", device="cuda")
        assert torch.cuda.memory_allocated() - before == canvas.nbytes
        canvas.close()
        assert torch.cuda.memory_allocated() == before

    def test_hosts_buffers_are_pinned_and_devices_are_there(self, net):
        caffe.set_mode_gpu()
        stepper, canvas = stepper_of(net, dtype="uint16"), canvas_of("uint16")
        list(stepper.steps(PLACE, SCALE, APART, canvas, canvas))
        for slot in stepper._slots:
            for staging in (slot.incoming, slot.outgoing, slot.weights, slot.sums):
                assert staging.pinned.is_pinned()
                assert staging.device.is_cuda

    def test_tiles_under_way_together_are_those_stepped_on_alone(self, net):
        caffe.set_mode_gpu()
        alone, sums = stepped(net, TensorNetwork, APART)
        target, stepper = canvas_of("uint8"), stepper_of(net)
        found = list(stepper.steps(PLACE, SCALE, APART, canvas_of("uint8"), target))
        np.testing.assert_allclose([value for _, value in found], sums, rtol=1e-5)
        assert np.abs(target.array().astype(int) - alone).max() <= 1
