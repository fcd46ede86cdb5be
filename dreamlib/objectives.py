"""What a dream maximises: functions that write an objective's gradient into a blob's diff."""

from __future__ import annotations

from .errors import DreamError


def objective_L2(dst):
    """Maximise half the squared L2 norm of a blob: the notebook's objective.

    Its gradient is the activation itself, so whatever the network sees it sees more of.

    Parameters
    ----------
    dst : caffe.Blob
        ``dst.diff`` is overwritten with ``dst.data``.
    """
    dst.diff[:] = dst.data


def class_objective(targets):
    """Make the objective that maximises a weighted sum of class scores.

    Parameters
    ----------
    targets : iterable of (int, float)
        Channel of the blob, that is the class's number, and its weight; below 0 the class is
        avoided.

    Returns
    -------
    callable
        Given a blob of (1, K) or (1, K, h, w), the scores before the softmax, it overwrites
        ``diff`` with the gradient of the weighted sum; over a map each score is the map's mean, so
        that the objective does not grow with the picture. ``diff`` may be a numpy array or a torch
        tensor.

    Raises
    ------
    DreamError
        (from what is returned) A class that the blob does not have.
    """
    targets = [(int(index), float(weight)) for index, weight in targets]

    def objective(dst):
        diff = dst.diff
        classes, *sides = diff.shape[1:]
        places = 1
        for side in sides:
            places *= side
        diff[...] = 0
        for index, weight in targets:
            if not 0 <= index < classes:
                raise DreamError(
                    f"class {index} was asked for, the layer has {classes}; expected a number from "
                    f"0 to {classes - 1}"
                )
            diff[:, index] = weight / places

    return objective
