"""Everything here is judged by real Caffe, and skipped, with the reason, where it cannot be had."""

import pytest

from tests.real_caffe import root


def pytest_collection_modifyitems(items):
    for item in items:
        if "real_caffe" in item.path.parts:
            item.add_marker(pytest.mark.real_caffe)


@pytest.fixture(scope="session", autouse=True)
def real_caffe():
    """The root's path."""
    try:
        return root.find()
    except root.Unavailable as reason:
        pytest.skip(str(reason))
