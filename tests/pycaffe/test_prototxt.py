"""Prototxt files of every age, held against the names that real Caffe 1.0.0 gives."""

import pytest

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe.proto import caffe_pb2
from dreamlib.pycaffe.prototxt import upgrade_layer
from tests.nets import INCEPTION
from tests.pycaffe.nets import TRAINED, make_net

#: As nets were written in 2014: inputs by fields of the net, enum types, learning rates apart.
V1 = """
name: "old"
input: "data"
input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 9
input: "other"
input_dim: 2 input_dim: 4 input_dim: 8 input_dim: 9
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
  weight_decay: 1 weight_decay: 0 convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "sum" type: ELTWISE bottom: "conv" bottom: "other" top: "sum" }
layers { name: "tanh" type: TANH bottom: "conv" top: "tanh" }
layers { name: "cat" type: CONCAT bottom: "tanh" bottom: "sum" bottom: "conv" top: "cat" }
layers { name: "prob" type: SOFTMAX bottom: "cat" top: "prob" }
"""

INPUT = 'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 dim: 2 } } }\n'


def relu(name, bottom, top=None, rules=""):
    return (
        f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top or name}" {rules} }}\n'
    )


def refused(folder, text, **options):
    """Return the message with which a definition is refused, having checked that it names it."""
    with pytest.raises(caffe.CaffeError) as caught:
        make_net(folder, text, **options)
    assert str(folder / "net.prototxt") in str(caught.value)
    return str(caught.value)


# -- names, as real Caffe's ``_layer_names`` and ``blobs`` give them ------------------------------


def test_a_v1_net_has_real_caffes_layers_and_blobs(tmp_path):
    net = make_net(tmp_path, V1)
    assert net._layer_names == [
        "input",
        "conv",
        "relu",
        "conv_relu_0_split",
        "sum",
        "tanh",
        "cat",
        "prob",
    ]
    assert list(net.blobs) == [
        "data",
        "other",
        "conv",
        "conv_relu_0_split_0",
        "conv_relu_0_split_1",
        "conv_relu_0_split_2",
        "sum",
        "tanh",
        "cat",
        "prob",
    ]
    assert [layer.type for layer in net.layers] == [
        "Input",
        "Convolution",
        "ReLU",
        "Split",
        "Eltwise",
        "TanH",
        "Concat",
        "Softmax",
    ]
    assert net.inputs == ["data", "other"]
    assert net.outputs == ["prob"]
    assert net.bottom_names["cat"] == ["tanh", "sum", "conv_relu_0_split_2"]
    assert net.top_names["conv_relu_0_split"] == [f"conv_relu_0_split_{i}" for i in range(3)]


def test_every_v1_type_has_the_name_real_caffe_knows():
    types = caffe_pb2.V1LayerParameter.LayerType
    old = [caffe_pb2.V1LayerParameter(type=number) for number in sorted(types.values())]
    assert [upgrade_layer(layer).type for layer in old if layer.type != types.Value("NONE")] == (
        "Accuracy BNLL Concat Convolution Data Dropout EuclideanLoss Flatten HDF5Data HDF5Output "
        "Im2col ImageData InfogainLoss InnerProduct LRN MultinomialLogisticLoss Pooling ReLU "
        "Sigmoid Softmax SoftmaxWithLoss Split TanH WindowData Eltwise Power "
        "SigmoidCrossEntropyLoss HingeLoss MemoryData ArgMax Threshold DummyData Slice MVN AbsVal "
        "Silence ContrastiveLoss Exp Deconvolution"
    ).split()


def test_a_v1_layer_keeps_its_learning_rates(tmp_path):
    specs = make_net(tmp_path, V1).layer_dict["conv"].param.param
    assert [(spec.lr_mult, spec.decay_mult) for spec in specs] == [(1, 1), (2, 0)]


def test_a_split_blob_that_is_also_a_loss_has_real_caffes_names_and_weights(tmp_path):
    net = make_net(tmp_path, TRAINED, caffe.TRAIN)
    assert net._layer_names == [
        "data",
        "ip",
        "drop",
        "loss",
        "loss_loss_0_split",
        "half",
        "quiet",
    ]
    assert dict(net.blob_loss_weights) == {
        "data": 0,
        "label": 0,
        "ip": 0,
        "loss": 1,
        "loss_loss_0_split_0": 0.5,
        "loss_loss_0_split_1": 0,
        "half": 0,
    }
    assert net.outputs == ["loss_loss_0_split_0"]


def test_the_other_phase_has_its_own_splits_and_outputs_in_real_caffes_order(tmp_path):
    net = make_net(tmp_path, TRAINED, caffe.TEST)
    assert net._layer_names == [
        "data",
        "label_data_1_split",
        "ip",
        "ip_ip_0_split",
        "loss",
        "loss_loss_0_split",
        "half",
        "accuracy",
        "quiet",
    ]
    assert net.bottom_names["accuracy"] == ["ip_ip_0_split_1", "label_data_1_split_1"]
    assert net.outputs == ["accuracy", "loss_loss_0_split_0"]


def test_an_inception_module_has_real_caffes_blobs(tmp_path):
    assert list(make_net(tmp_path, INCEPTION).blobs) == [
        "data",
        "conv1",
        "pool1",
        "norm1",
        "norm1_norm1_0_split_0",
        "norm1_norm1_0_split_1",
        "norm1_norm1_0_split_2",
        "mixed/1x1",
        "mixed/3x3",
        "mixed/pool",
        "mixed/output",
        "pool2",
        "classifier",
        "prob",
    ]


# -- inputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'input: "in" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 5',
        'input: "in" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }',
        'layer { name: "in" type: "Input" top: "in" '
        "input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }",
    ],
)
def test_an_input_of_every_age_has_its_shape(tmp_path, text):
    net = make_net(tmp_path, text + "\n" + relu("relu", "in"))
    assert net.inputs == ["in"]
    assert tuple(net.blobs["relu"].shape) == (2, 3, 4, 5)


def test_an_input_shape_of_any_number_of_axes(tmp_path):
    net = make_net(tmp_path, 'input: "in" input_shape { dim: 7 }' + relu("relu", "in"))
    assert tuple(net.blobs["relu"].shape) == (7,)


def test_an_input_without_shape_is_refused(tmp_path):
    assert "1 inputs and shapes for 0" in refused(tmp_path, 'input: "in"' + relu("relu", "in"))


@pytest.mark.parametrize("dims", ["1 2 3", "1 2 3 4 5", "1 2 3 4 5 6 7"])
def test_inputs_that_lack_dims_are_refused(tmp_path, dims):
    text = 'input: "in" input: "too" ' + "".join(f"input_dim: {dim} " for dim in dims.split())
    assert "has 2 inputs and shapes for" in refused(tmp_path, text + relu("relu", "in"))


@pytest.mark.parametrize(
    "shape",
    [
        "input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 5 input_dim: 6",
        "input_shape { dim: 2 dim: 3 dim: 4 dim: 5 } input_shape { dim: 9 }",
    ],
)
def test_more_dims_than_inputs_are_overlooked_as_in_real_caffe(tmp_path, shape):
    net = make_net(tmp_path, f'input: "in" {shape} ' + relu("relu", "in"))
    assert tuple(net.blobs["relu"].shape) == (2, 3, 4, 5)


# -- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "options", "kept"),
    [
        ("", {}, True),
        ("include { phase: TEST }", {}, True),
        ("include { phase: TRAIN }", {}, False),
        ("include { phase: TRAIN }", {"phase": caffe.TRAIN}, True),
        ("exclude { phase: TEST }", {}, False),
        ("exclude { phase: TRAIN }", {}, True),
        ("include { min_level: 2 }", {"level": 1}, False),
        ("include { min_level: 2 }", {"level": 2}, True),
        ("include { max_level: 2 }", {"level": 2}, True),
        ("include { max_level: 2 }", {"level": 3}, False),
        ('include { stage: "a" }', {}, False),
        ('include { stage: "a" }', {"stages": ["b", "a"]}, True),
        ('include { stage: "a" stage: "b" }', {"stages": ["a"]}, False),
        ('include { not_stage: "a" }', {}, True),
        ('include { not_stage: "a" }', {"stages": ["a"]}, False),
        ('include { stage: "a" } include { stage: "b" }', {"stages": ["b"]}, True),
        ('exclude { stage: "a" } exclude { stage: "b" }', {"stages": ["b"]}, False),
    ],
)
def test_rules_choose_layers_as_caffes_do(tmp_path, rules, options, kept):
    net = make_net(
        tmp_path, INPUT + relu("maybe", "in", rules=rules) + relu("last", "in"), **options
    )
    assert ("maybe" in net.layer_dict) is kept


def test_stages_of_the_definitions_own_state_hold_too_but_not_its_level(tmp_path):
    text = 'state { stage: "a" level: 3 } ' + INPUT
    text += relu("both", "in", rules='include { stage: "a" stage: "b" }')
    text += relu("high", "in", rules="include { min_level: 3 }") + relu("last", "in")
    net = make_net(tmp_path, text, stages=["b"])
    assert net._layer_names == ["in", "in_in_0_split", "both", "last"]


def test_a_layer_with_both_kinds_of_rule_is_refused(tmp_path):
    text = INPUT + relu("torn", "in", rules="include { phase: TEST } exclude { phase: TRAIN }")
    assert "'torn' has both include and exclude" in refused(tmp_path, text)


# -- refusals -------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(caffe.CaffeError, match=r"nowhere\.prototxt.*no such file"):
        caffe.Net(str(tmp_path / "nowhere.prototxt"), caffe.TEST)


def test_a_binary_file_is_refused_as_a_prototxt(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"\x0a\xff\xfe\x80")
    with pytest.raises(caffe.CaffeError, match="cannot be read as a prototxt"):
        caffe.Net(str(path), caffe.TEST)


def test_a_syntax_error_is_placed(tmp_path):
    assert "line:column 3:" in refused(tmp_path, 'name: "x"\n\nlayer { name "oops }\n')


def test_an_unknown_field_is_placed(tmp_path):
    message = refused(tmp_path, INPUT + 'layer { name: "a" colour: "red" }')
    assert "layer 'a' has a field colour (line 2)" in message
    assert "docs/extending.md" in message


def test_all_that_is_unknown_is_told_at_once(tmp_path):
    text = INPUT + (
        'layer { name: "a" type: "Quux" bottom: "in" top: "a" }\n'
        'layer { name: "b" type: "Quux" bottom: "in" top: "b" }\n'
        'layer { name: "p" type: "Pooling" bottom: "in" top: "p"\n'
        "  pooling_param { kernel_size: 2 odd_mode: false # not Caffe's }\n"
        "  pool: SOFT } warp_param { size { h: 3 } } }\n"
    )
    assert refused(tmp_path, text).endswith(
        "not supported: layer 'a' and 1 more has type 'Quux'; layer 'p' has a field "
        "pooling_param.odd_mode (line 5); layer 'p' pooling_param.pool is SOFT (line 6); layer 'p' "
        "has a field warp_param (line 6). docs/extending.md says how a layer is added"
    )


def test_layers_that_are_not_chosen_may_be_unknown(tmp_path):
    text = INPUT + (
        'layer { name: "a" type: "Quux" bottom: "in" top: "a" colour: 3 include { phase: TRAIN } }'
    )
    assert make_net(tmp_path, text + relu("b", "in"))._layer_names == ["in", "b"]


@pytest.mark.parametrize("kind", ["Quux", "ROIPooling", "Proposal"])
def test_nothing_is_suggested_for_a_type_that_is_near_to_none(tmp_path, kind):
    text = INPUT + f'layer {{ name: "c" type: "{kind}" bottom: "in" top: "c" }}'
    assert "did you mean" not in refused(tmp_path, text)


@pytest.mark.parametrize("kind", ["Data", "ImageData", "HDF5Data", "WindowData"])
def test_a_file_for_training_is_called_one(tmp_path, kind):
    text = f'layer {{ name: "d" type: "{kind}" top: "in" top: "label" }}' + relu("b", "in")
    assert refused(tmp_path, text).endswith(
        f"layer 'd' ({kind}) reads files of training data: this is a file for training; use the "
        "deploy file of the network (deploy.prototxt), which begins with an Input"
    )


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    assert make_net(tmp_path, "\ufeff" + INPUT + relu("b", "in"))._layer_names == ["in", "b"]


def test_an_unknown_bottom_names_layer_and_nearest_blob(tmp_path):
    text = INPUT + relu("first", "in") + relu("second", "frist")
    message = refused(tmp_path, text)
    assert "layer 'second': bottom 0 is blob 'frist'" in message
    assert "did you mean 'first'" in message


def test_a_bottom_made_only_later_is_refused(tmp_path):
    assert "no layer before it makes" in refused(tmp_path, relu("relu", "in") + INPUT)


def test_a_blob_made_twice_names_both_layers(tmp_path):
    message = refused(tmp_path, INPUT + relu("one", "in", "x") + relu("two", "in", "x"))
    assert "'two'" in message
    assert "'one' makes already" in message


def test_both_ages_of_layer_in_one_file_are_refused(tmp_path):
    text = INPUT + 'layers { name: "relu" type: RELU bottom: "in" top: "relu" }'
    assert "both 'layer' and the older 'layers'" in refused(tmp_path, text)


def test_an_unknown_layer_type_names_the_layer_and_the_nearest_type(tmp_path):
    text = INPUT + 'layer { name: "c" type: "Convolutoin" bottom: "in" top: "c" }'
    message = refused(tmp_path, text)
    assert "layer 'c' has type 'Convolutoin'" in message
    assert "did you mean 'Convolution'" in message


def test_a_layer_with_too_many_bottoms_is_refused(tmp_path):
    text = (
        INPUT
        + relu("one", "in")
        + 'layer { name: "r" type: "ReLU" bottom: "in" bottom: "one" top: "r" }'
    )
    assert "layer 'r' (ReLU): it has 2 bottom blobs and takes 1" in refused(tmp_path, text)


@pytest.mark.parametrize("kind", ["Eltwise", "Concat"])
def test_bottoms_that_do_not_fit_name_the_layer_and_both_shapes(tmp_path, kind):
    text = """
    layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 2 dim: 3 } } }
    layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 1 dim: 2 dim: 4 } } }
    """
    text += f'layer {{ name: "join" type: "{kind}" bottom: "a" bottom: "b" top: "join" }}'
    message = refused(tmp_path, text)
    assert f"layer 'join' ({kind})" in message
    assert "(1, 2, 3)" in message
    assert "(1, 2, 4)" in message


def test_bottoms_with_another_number_of_axes_are_refused_too(tmp_path):
    text = """
    layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 2 dim: 3 } } }
    layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 1 dim: 2 } } }
    layer { name: "join" type: "Concat" bottom: "a" bottom: "b" top: "join"
      concat_param { axis: 2 } }
    """
    assert "layer 'join' (Concat)" in refused(tmp_path, text)


def test_an_unknown_filler_names_the_layer(tmp_path):
    text = INPUT + (
        'layer { name: "ip" type: "InnerProduct" bottom: "in" top: "ip" '
        'inner_product_param { num_output: 2 weight_filler { type: "magic" } } }'
    )
    message = refused(tmp_path, text)
    assert "'magic'" in message
    assert "'ip'" in message
