"""benchmarks/gpu.py runs where it is meant to: shown on the CPU, at tiny sizes."""

import os

import numpy as np
import pytest
import torch

from dreamlib import pycaffe
from dreamlib.pycaffe.device import PLAIN
from tests.embedded import REPOSITORY


@pytest.fixture(scope="module")
def gpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import gpu

        yield gpu


@pytest.fixture(autouse=True)
def tf32_afterwards():
    modules = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [module.allow_tf32 for module in modules]
    yield
    for module, allowed in zip(modules, before):
        module.allow_tf32 = allowed


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_and_leaves_the_page_alone(gpu, tmp_path, capsys):
    page = tmp_path / "gpu.md"
    page.write_text("as it was")
    gpu.main(["--page", str(page)])
    assert "no CUDA device" in capsys.readouterr().out
    assert page.read_text() == "as it was"


def test_all_of_it_runs_and_every_table_has_its_figures(gpu):
    text = gpu.report("cpu", ["cpu"], sizes=(96,), picture=(96, 128), equality=96, side=64,
                      count=2, turns=1)  # fmt: skip
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 9
    cells = {line.split("|")[1].strip(): line for table in tables for line in table.splitlines()}
    assert "float32 canvas" in cells
    assert "`cpu,cpu`" in cells
    # The CPU is itself.
    assert cells["float32"].split("|")[2:4] == [" 0.0e+00 ", " 0.0e+00 "]
    assert cells["uint8 canvas"].split("|")[2:4] == [" 0 ", " 0.00e+00 "]
    for table in tables[3 : 3 + len(gpu.WAYS)]:
        assert all(float(cell) > 0 for cell in table.splitlines()[2].split("|")[2:-1])
    # Shares of a tiny product's speed mean nothing, but there is one for each column.
    shares = tables[6].splitlines()[2].split("|")[2:-1]
    assert all(float(share) > 0 for share in shares)
    assert len(shares) == len(gpu.COLUMNS)


def test_low_precision_differs_from_full_and_by_little(gpu):
    gpu.random_googlenet.write(pycaffe)
    found = gpu.engine_equality("cpu", 96)
    assert found["float32"] == (0, 0)
    # Random weights do not damp what rounding changes in the choices of 10 poolings.
    for distance, bound in zip(found["bfloat16"], (0.1, 0.5)):
        assert 1e-4 < distance < bound


def test_the_share_of_the_roofline_is_arithmetic(gpu):
    speeds = {
        way: {(256, name): gpu.Speed(pixels, 3 << 30) for name in gpu.COLUMNS}
        for way, pixels in zip(gpu.WAYS, (5e6, 2e6, 1e6))
    }
    text = gpu.speed_tables(dict.fromkeys(gpu.COLUMNS, 94e3 * 8e6), speeds)
    assert "| 256 | 0.25 | 0.25 | 0.25 | 0.25 |" in text
    assert "| 256 | 3.00 |" in text
    assert all(f"| 256 | {pixels} |" in text for pixels in (5, 2, 1))


def test_a_size_that_does_not_fit_the_card_is_a_cell_of_the_table(gpu):
    speeds = {way: {(2048, name): None for name in gpu.COLUMNS} for way in gpu.WAYS}
    text = gpu.speed_tables(dict.fromkeys(gpu.COLUMNS, 1e12), speeds)
    assert text.count("| 2048 | no room | no room | no room | no room |") == 5


def test_a_size_that_does_not_fit_leaves_the_environment_as_it_was(gpu, monkeypatch):
    """Workers inherit it, and would compute without graphs."""

    def full(*arguments):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(gpu, "load", full)
    monkeypatch.setenv(PLAIN, "as it was")
    with pytest.raises(torch.cuda.OutOfMemoryError):
        gpu.speed("cpu", 96, "float32", plain=True, count=2, turns=1)
    assert os.environ[PLAIN] == "as it was"


def test_workers_are_one_two_on_a_card_and_one_on_each(gpu):
    assert gpu.groups_on(["cuda:0"]) == ["cuda:0", "cuda:0,cuda:0"]
    three = ["cuda:0", "cuda:1", "cuda:2"]
    assert gpu.groups_on(three)[2:] == ["cuda:0,cuda:1", "cuda:0,cuda:1,cuda:2"]


def test_devices_are_numbered_as_the_engine_does(gpu):
    assert gpu.gpu_of("cpu") is None
    assert gpu.gpu_of("cuda:3") == 3


def test_a_page_gets_its_text_between_its_marks_and_nowhere_else(tmp_path, gpu):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n<!-- gpu figures -->\nold\n<!-- end of gpu figures -->\n\nB\n")
    for _ in range(2):  # the same again
        gpu.write_between(page, gpu.MARKER, "new")
    expected = "# A\n\n<!-- gpu figures -->\n\nnew\n\n<!-- end of gpu figures -->\n\nB\n"
    assert page.read_text() == expected
    with pytest.raises(ValueError, match="expected one"):
        gpu.write_between(page, "other figures", "new")


def test_the_pages_of_the_repository_have_their_marks(gpu):
    for name, marker in (("gpu", gpu.MARKER), ("memory", "memory profile")):
        page = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
        assert page.count(f"<!-- {marker} -->\n") == 1
        assert page.count(f"<!-- end of {marker} -->") == 1


@pytest.mark.gpu
def test_a_tile_on_the_gpu_is_the_cpus(gpu):
    gpu.random_googlenet.write(pycaffe)
    found = gpu.step_equality("cuda:0", 128)
    pycaffe.set_mode_cpu()
    assert found["uint8"][0] <= 2
    assert found["uint8"][1] < 0.1
    assert found["float32"][1] < 0.05
    assert np.isfinite(found["uint16"]).all()
