"""Classes, layers, guides and octave scripts that settings ask for, resolved to plain values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dreamlib.ascent.objective_parser import (
    absolute_guides,
    absolute_layers,
    parse_guide_layers,
    parse_layers,
    parse_weights,
)
from dreamlib.ascent.octave_script import load_script
from dreamlib.ascent.spec import ObjectiveSpec
from dreamlib.errors import DreamError, nearest
from dreamlib.models.labels import parse_targets
from dreamlib.models.layers import layer_shapes
from dreamlib.models.zoo import absolute_name, models_with
from dreamlib.tiling.octaves import JudgeSpec

#: A drawing from noise is made at least this many times as large as the network's input, and
#: reduced to the wanted size: else objects cling to the borders, which every window sees.
ROOM = 1.43

#: What is made larger for that is at most this many times as long as the network's input.
MOST_ROOM = 64


def resolve_objective(net, model, settings):
    """Resolve targets, layers and guides; refuse missing ones.

    Parameters
    ----------
    net : caffe.Classifier
    model : dreamlib.models.model.Model
    settings : Settings

    Returns
    -------
    Settings
        Targets become numbers, and pictures are named by their absolute paths, so that the settings
        can be repeated from anywhere.
    ObjectiveSpec
    """
    shapes, terms, targets = layer_shapes(net), [], ()
    if settings.target:
        settings = settings.replace(target=_checked_targets(shapes, model, settings))
        targets = tuple(parse_targets(settings.target, [], None))
    if settings.layers:
        settings = settings.replace(layers=absolute_layers(settings.layers))
        _refuse_of_others(parse_layers(settings.layers), shapes, "--layers")
        terms += parse_layers(settings.layers, shapes)
    if settings.guide:
        layers = absolute_layers(settings.guide_layer or settings.end or "")
        settings = settings.replace(guide=absolute_guides(settings.guide), guide_layer=layers)
        _refuse_of_others(parse_guide_layers(layers), shapes, "--guide-layer")
        terms += [
            replace(term, kind=settings.guide_mode, picture=path, weight=weight * term.weight)
            for path, weight in parse_weights(settings.guide, "--guide")
            for term in parse_guide_layers(layers, shapes)
        ]
    spec = ObjectiveSpec(settings.end, tuple(terms), targets, model.class_layer if targets else "")
    if spec.layers:
        end = max(spec.layers, key=list(net._layer_names).index)
        settings, spec = settings.replace(end=end), replace(spec, end=end)
    return settings, spec


def _refuse_of_others(terms, shapes, flag):
    """Refuse layers that another model has, with its name."""
    for term in terms:
        others = [] if term.layer in shapes else models_with(term.layer)
        if others:
            raise DreamError(
                f"{flag}: there is no layer {term.layer!r} to dream; {others[0]} has one: add "
                f"--model {others[0]}"
            )


def _drawn_objective(net, spec, layer):
    """Return the objective of an octave that names a layer of its own.

    Targets are channels of the layer; without targets, layers and guides, all of it is dreamt.
    """
    shapes = layer_shapes(net)
    if layer not in shapes:
        raise DreamError(
            f"the network has no layer {layer!r} to draw (all: --list-layers)"
            f"{nearest(layer, shapes)}"
        )
    for index, _ in spec.targets:
        if index >= shapes[layer][1]:
            raise DreamError(
                f"the script draws channels of layer {layer!r}, which are 0 to "
                f"{shapes[layer][1] - 1}: there is no {index} for --target; take another number, "
                "or leave layer out of the script to draw classes"
            )
    spec = replace(spec, class_layer=layer if spec.targets else "")
    end = max(spec.layers or [layer], key=list(net._layer_names).index)
    return replace(spec, end=end)


def _checked_targets(shapes, model, settings):
    """Return the targets as numbers and weights, which need no labels and draw nothing."""
    if model.class_layer not in shapes:
        raise DreamError(
            f"--target: model {model.name} names no layer of class scores that it has; write "
            "class_layer = LAYER, the one before the softmax, into its model.toml, or take another "
            "--model"
        )
    text = numbered_targets(settings.target, model, settings.seed)
    classes = shapes[model.class_layer][1]
    for index, _ in parse_targets(text, [], None):
        if index >= classes:
            raise DreamError(f"--target: there is no class {index}; expected 0 to {classes - 1}")
    return text


def numbered_targets(text, model, seed):
    """Write targets as numbers and weights; a random one is drawn by the seed.

    Parameters
    ----------
    text : str
    model : dreamlib.models.model.Model
        Whose labels name classes.
    seed : int

    Returns
    -------
    str
    """
    targets = parse_targets(text, model.known_labels(), np.random.RandomState(seed))
    return ", ".join(str(i) if weight == 1 else f"{i}:{weight:.9g}" for i, weight in targets)


def script_octaves(net, settings, spec, size, noise):
    """Read the script of settings and size its octaves; refuse what cannot be read or drawn.

    Parameters
    ----------
    net : caffe.Classifier
    settings : Settings
    spec : dreamlib.ascent.objectives.ObjectiveSpec
    size : (height, width)
        Of the picture.
    noise : bool
        Whether the picture is noise.

    Returns
    -------
    list of (size, dreamlib.ascent.octave_script.ScriptOctave or None, ObjectiveSpec)
        The last is of the picture's size; without an octave of the script it is only brought to it.
    """
    script = load_script(settings.script)
    window = tuple(int(side) for side in net.crop_dims)
    least = [(ROOM if noise else 1) * side for side in window]
    scale = max(1, *(wanted / side for wanted, side in zip(least, size)))
    sizes = [tuple(round(scale * side) for side in size)]
    if scale > 1 and max(sizes[0]) > MOST_ROOM * max(window):
        raise DreamError(
            f"a picture of {size[1]} x {size[0]} pixels would be drawn at {sizes[0][1]} x "
            f"{sizes[0][0]}, since the network sees {window[1]} x {window[0]}; take one whose "
            "shorter side is larger"
        )
    for octave in script[:0:-1]:
        smaller = (round(side / octave.scale) for side in sizes[-1])
        sizes.append(tuple(max(pair) for pair in zip(smaller, window)))
    octaves = [
        (drawn, octave, _drawn_objective(net, spec, octave.layer) if octave.layer else spec)
        for drawn, octave in zip(sizes[::-1], script)
    ]
    if sizes[0] != tuple(size):
        octaves.append((tuple(size), None, spec))
    return octaves


def parse_judges(text):
    """Read the names of ``--judges``, with commas between them.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    list of str

    Raises
    ------
    DreamError
        A name is missing, or comes twice.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise DreamError(
            f"--judges is {text!r}; expected names of models, each once, with commas between them"
        )
    return names


def absolute_judges(text):
    """The same judges, spelt so that a file can repeat them anywhere: see `absolute_name`.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return ", ".join(map(absolute_name, parse_judges(text)))


def judge_specs(network, spec):
    """Return what the judges beside a network are to see: its classes, by their names.

    Parameters
    ----------
    network : dreamlib.jobs.resolve.Network
    spec : dreamlib.ascent.objectives.ObjectiveSpec
        The network's own.

    Returns
    -------
    tuple of dreamlib.tiling.octaves.JudgeSpec

    Raises
    ------
    DreamError
        A judge has no such class, or names no class layer.
    """
    specs = []
    for model in network.judge_models:
        if model.folder.resolve() == network.published.folder.resolve():
            raise DreamError(f"--judges: {model.name} draws already; name other models, or none")
        if not model.class_layer:
            raise DreamError(
                f"--judges: model {model.name} names no layer of class scores; write "
                "class_layer = LAYER into its model.toml, or take another"
            )
        labels, its_labels = network.published.known_labels(), model.known_labels()
        if not labels or not its_labels:
            nameless = model if labels else network.published
            raise DreamError(
                f"--judges: model {nameless.name} has no class names, by which a judge is asked "
                "for the same classes; it needs a labels.txt, one class a line"
            )
        targets = []
        for index, weight in spec.targets:
            if labels[index] not in its_labels:
                raise DreamError(
                    f"--judges: model {model.name} knows no class {labels[index]!r}; take another "
                    "judge or another --target"
                )
            targets.append((its_labels.index(labels[index]), weight))
        its = ObjectiveSpec(
            end=model.class_layer, targets=tuple(targets), class_layer=model.class_layer
        )
        specs.append(JudgeSpec(str(model.folder.resolve()), its))
    return tuple(specs)
