"""What the command prints of models, their layers and their classes, and of what was dreamt."""

from __future__ import annotations

import os

from dreamlib.ascent.objective_parser import parse_layers
from dreamlib.config import describe_preset, preset_names
from dreamlib.errors import DreamError, listed
from dreamlib.models.labels import find_class
from dreamlib.models.zoo import find_model, list_models


def show(arguments, settings):
    """Print what is asked for.

    Parameters
    ----------
    arguments : argparse.Namespace
        Of the command.
    settings : Settings
    """
    if arguments.list_models:
        show_models()
    elif arguments.list_presets:
        show_presets()
    elif arguments.list_layers:
        show_layers(settings)
    else:
        show_classes(settings, arguments.find_class)


def show_classes(settings, text):
    """Print the model's classes by name.

    Parameters
    ----------
    settings : Settings
    text : str
    """
    model = find_model(settings.model)
    found = find_class(model.read_labels(), text)
    if not found:
        raise DreamError(
            f"model {model.name} has no class named {text!r}, nor one with a name like it; try "
            "another word"
        )
    for index, label in found:
        print(f"{index:4} {label}")


def show_models():
    """Print the models, and how to get them."""
    default = find_model(None).name
    for model in list_models():
        mark = "*" if model.name == default else " "
        state = f"dreams {model.end}" if model.has_weights else f"to get it: {model.fetch}"
        print(f"{mark} {model.name:24} {state}")
    print("* is used without --model; a folder with prototxt and caffemodel can be named as well")


def show_presets():
    """Print the presets, and what they make."""
    for name in preset_names():
        print(f"{name:12} {describe_preset(name)}")


def show_layers(settings):
    """Print the layers that can be dreamt.

    Parameters
    ----------
    settings : Settings
    """
    from dreamlib.models.engines import (
        load_layers,  # numpy, without which models are listed at once
    )
    from dreamlib.models.layers import dreamable_layers, layer_named

    model = find_model(settings.model)
    net = load_layers(model, settings.engine)
    height, width = net.blobs[net.inputs[0]].shape[2:]
    print(f"{model.name}: layers to dream, with their size (C x H x W) at {width} x {height}")
    for name, kind, shape in dreamable_layers(net):
        mark = "*" if name == layer_named(net, model.end) else " "
        size, hint = " x ".join(map(str, shape[1:])), model.hints.get(name, "")
        print(f"{mark} {name:32} {kind:16} {size:18} {hint}".rstrip())
    if net.left_out:
        strange = listed(dict.fromkeys(net.left_out.values()))
        print(f"{len(net.left_out)} more are left out: this Caffe does not have {strange}")
    print("* is dreamt without --end" if model.end else "choose one with --end")


def describe(model, settings):
    """Say in a few words what was dreamt.

    Parameters
    ----------
    model : dreamlib.models.model.Model
    settings : Settings
        Of the `Result`: targets are numbers.

    Returns
    -------
    str
    """
    if settings.script and not (settings.target or settings.layers or settings.guide):
        return f"script {os.path.basename(settings.script)} of {model.name}"
    if not settings.target:
        several = settings.layers and len(parse_layers(settings.layers)) > 1
        what = "mixture up to layer" if several else "layer"
        return f"{what} {settings.end} of {model.name}"
    from dreamlib.models.labels import parse_targets

    names = model.known_labels()
    drawn, avoided = [], []
    for index, weight in parse_targets(settings.target, [], None):
        label = f"{index}{f' ({names[index]})' if names else ''}"
        (drawn if weight > 0 else avoided).append(label)
    parts = [f"class {' and '.join(drawn)}"] * bool(drawn)
    parts += [f"without class {' and '.join(avoided)}"] * bool(avoided)
    return f"{', '.join(parts)} of {model.name}"
