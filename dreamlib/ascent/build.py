"""From a spec to its objective: guide pictures are seen and masks read, once."""

from __future__ import annotations

from dreamlib.ascent.mask import Mask
from dreamlib.ascent.objective_parser import parse_channels
from dreamlib.ascent.objectives import (
    Objective,
    class_scores,
    l2,
    mean,
    neuron,
    objective_L2,
    seen_after,
)
from dreamlib.models.layers import layer_shapes

#: Pixels of a term's mask in memory, a byte each: layers are coarser than pictures.
MASK_PIXELS = 1 << 22


def objective_of(net, spec):
    """Make the objective of a spec.

    Parameters
    ----------
    net : caffe.Net
        Run forward where there are guide pictures.
    spec : dreamlib.ascent.spec.ObjectiveSpec

    Returns
    -------
    Objective or callable
        As `dreamlib.dream.make_step` takes it.

    Raises
    ------
    DreamError
        A guide picture or a mask is not there.
    """
    if not spec.terms and not spec.targets:
        return objective_L2
    pictures, masks = _of_pictures(net, spec), {}
    for path in spec.masks:
        masks[path] = Mask.read(path, MASK_PIXELS)
    objective = Objective([])
    for term in spec.terms:
        made = term.weight * (pictures.get(term) or _plain(net, term))
        if term.mask:
            text = f"@{term.mask}"
            made = Objective(
                one._replace(mask=masks[term.mask], text=one.text + text) for one in made.terms
            )
        objective += made
    if spec.targets:
        objective += class_scores(spec.class_layer, spec.targets)
    return objective


def _plain(net, term):
    """Make the objective, of weight 1, of a term that looks at no other picture."""
    channels = None
    if term.channels:
        count = layer_shapes(net)[term.layer][1]
        channels = parse_channels(term.channels, term.layer, count, "--layers")
    if term.kind == "neuron":
        return neuron(term.layer, channels[0], *term.place)
    return {"l2": l2, "mean": mean}[term.kind](term.layer, channels)


def _of_pictures(net, spec):
    """Make the objectives, of weight 1, of the terms that are made of a picture: a dict."""
    if not spec.of_pictures:
        return {}
    from dreamlib.ascent.guides import as_seen, channel_guide, features, guide
    from dreamlib.ascent.style import style

    kinds, made = {"match": guide, "channels": channel_guide, "style": style}, {}
    for path, terms in spec.of_pictures.items():
        pixels = as_seen(path)
        for term in terms:
            # As the dream's own activations are looked at: after a ReLU that works in place.
            end = list(net._layer_names)[seen_after(net, term.layer, spec.layers)]
            seen = features(net, term.layer, pixels, end)
            made[term] = kinds[term.kind](term.layer, seen, name=path)
    return made
