"""What holds for all tests."""

import importlib.util

import pytest


def pytest_collection_modifyitems(items):
    """Skip the tests that need CUDA, with the reason, where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="PyTorch sees no CUDA device"))


def _has_cuda():
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
