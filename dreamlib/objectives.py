"""What a dream maximises: functions that write an objective's gradient into a blob's diff."""

from __future__ import annotations


def objective_L2(dst):
    """Maximise half the squared L2 norm of a blob: the notebook's objective.

    Its gradient is the activation itself, so whatever the network sees it sees more of.

    Parameters
    ----------
    dst : caffe.Blob
        ``dst.diff`` is overwritten with ``dst.data``.
    """
    dst.diff[:] = dst.data


def objective_channel(number):
    """Make the objective of one channel: half the squared L2 norm of it alone.

    Parameters
    ----------
    number : int
        Counted from 0.

    Returns
    -------
    callable
        As `objective_L2`, but the diff is zero in all other channels.
    """

    def objective(dst):
        diff = dst.diff
        diff[:] = 0
        diff[:, number] = dst.data[:, number]

    return objective
