"""docs/pycaffe.md lists the layers that are there, and none that is not."""

import re

from dreamlib import pycaffe as caffe
from tests.embedded import REPOSITORY

PAGE = (REPOSITORY / "docs" / "pycaffe.md").read_text(encoding="utf-8")


def names(section):
    """The names in a section of the page."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`(\w+)`", text))


def test_every_layer_type_is_in_the_table_and_no_other():
    [table] = re.findall(r"^\| layers \| types \|\n(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", table)) == caffe.layer_type_list()


def test_what_is_not_there_is_not_there():
    missing = names("Not there")
    assert len(missing) > 20
    assert not missing & set(caffe.layer_type_list())
    assert not [name for name in missing if hasattr(caffe, name) or hasattr(caffe.Net, name)]
