"""docs/pycaffe.md names all that real Caffe has and ours has not."""

import json

from dreamlib import pycaffe
from tests.pycaffe.test_compatibility_page import names
from tests.real_caffe import root

ASK = """
import json, caffe
print(json.dumps({
    "caffe": [name for name in dir(caffe) if not name.startswith("_")],
    "net": [name for name in dir(caffe.Net) if not name.startswith("_")],
    "layers": list(caffe.layer_type_list()),
}))
"""
#: Modules that only its own files import.
INTERNAL = {"pycaffe"}
#: Set on each net when it is made.
OF_NETS = {"blobs", "bottom_names", "inputs", "layer_dict", "layers", "outputs", "params",
           "top_names"}  # fmt: skip


def test_every_name_of_real_caffe_is_there_or_listed_as_missing(tmp_path):
    theirs = json.loads(root.run(["-c", ASK], tmp_path).splitlines()[-1])
    missing = set(theirs["caffe"]) - set(dir(pycaffe)) - INTERNAL
    missing |= set(theirs["net"]) - set(dir(pycaffe.Net)) - OF_NETS
    missing |= set(theirs["layers"]) - set(pycaffe.layer_type_list())
    assert sorted(missing - names("Not there")) == []
