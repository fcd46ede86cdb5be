"""`Detector`: a net that classifies windows of pictures, with or without what surrounds them."""

from __future__ import annotations

import numpy as np

from dreamlib.errors import CaffeError
from dreamlib.pycaffe import io
from dreamlib.pycaffe.classifier import make_transformer, refuse_gpu
from dreamlib.pycaffe.net import Net
from dreamlib.pycaffe.proto import caffe_pb2


class Detector(Net):
    """A net in phase TEST that takes windows of pictures, each warped to the input's size.

    Parameters
    ----------
    model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap, **net_options
        As for `Classifier`.
    context_pad : int, optional
        Width of the border of the net's input, in its pixels, that shows what is around the window.

    Attributes
    ----------
    transformer : caffe.io.Transformer
    crop_dims : (3,) ndarray of int
        (H, W, K) of a window as the net sees it.
    crop_mean : ndarray
        The mean as a picture, broadcasting to `crop_dims`: what stands for pixels beyond the
        picture's edge. There with `context_pad` alone.
    """

    def __init__(
        self,
        model_file,
        pretrained_file,
        mean=None,
        input_scale=None,
        raw_scale=None,
        channel_swap=None,
        context_pad=None,
        **net_options,
    ):
        refuse_gpu(net_options)
        super().__init__(model_file, caffe_pb2.TEST, weights=pretrained_file, **net_options)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def configure_crop(self, context_pad):
        """Choose how much around a window the net sees.

        Parameters
        ----------
        context_pad : int or None

        Raises
        ------
        CaffeError
            The border leaves nothing of the input.
        """
        name = self.inputs[0]
        channels, height, width = self.blobs[name].shape[1:]
        self.crop_dims = np.array([height, width, channels])
        self.context_pad = context_pad
        if not context_pad:
            return
        if not 0 < 2 * context_pad < min(height, width):
            raise CaffeError(
                f"context_pad {context_pad} must leave something of an input of {height} x {width}"
            )
        mean = self.transformer.mean.get(name, np.zeros((channels, 1, 1), np.float32))
        swap = self.transformer.channel_swap.get(name, range(channels))
        picture = mean[np.argsort(swap)].transpose(1, 2, 0)
        self.crop_mean = picture / self.transformer.raw_scale.get(name, 1)

    def detect_windows(self, images_windows):
        """Classify windows of picture files.

        Parameters
        ----------
        images_windows : iterable of (str, sequence of window)
            File names, each with its windows: (top, left, bottom, right) in pixels, the last two
            beyond the window.

        Returns
        -------
        list of dict
            ``window``, ``prediction`` (the net's first output) and ``filename``, in order.
        """
        name = self.inputs[0]
        places, inputs = [], []
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                places.append((filename, window))
                inputs.append(self.transformer.preprocess(name, self.crop(image, window)))
        if not inputs:
            return []
        predictions = self.forward_all(**{name: np.array(inputs)})[self.outputs[0]]
        return [
            {"window": window, "prediction": prediction, "filename": filename}
            for (filename, window), prediction in zip(places, predictions)
        ]

    def detect_selective_search(self, image_fnames):
        """Refuse: the proposals come from a MATLAB program that is not distributed.

        Parameters
        ----------
        image_fnames : list of str

        Raises
        ------
        CaffeError
            Always.
        """
        raise CaffeError(
            "detect_selective_search needs selective_search_ijcv_with_python, a MATLAB program; "
            "make windows in another way and call detect_windows"
        )

    def crop(self, im, window):
        """Cut a window out of a picture.

        Parameters
        ----------
        im : (H, W, K) ndarray
        window : (top, left, bottom, right)

        Returns
        -------
        ndarray of float32
            The window as it is; or, with `context_pad`, the window warped to the input's size less
            that border, its surroundings in the border, the mean where the picture ends.

        Raises
        ------
        CaffeError
            The window does not lie within the picture.
        """
        top, left, bottom, right = (int(edge) for edge in window)
        if not (0 <= top < bottom <= im.shape[0] and 0 <= left < right <= im.shape[1]):
            raise CaffeError(
                f"window {(top, left, bottom, right)} (top, left, bottom, right) does not lie "
                f"within a picture of {im.shape[0]} x {im.shape[1]}"
            )
        if not self.context_pad:
            return im[top:bottom, left:right].astype(np.float32)
        rows, rows_seen = self._surroundings(top, bottom, im.shape[0], self.crop_dims[0])
        columns, columns_seen = self._surroundings(left, right, im.shape[1], self.crop_dims[1])
        seen = im[rows_seen, columns_seen].astype(np.float32)
        crop = np.empty(self.crop_dims, np.float32)
        crop[...] = self.crop_mean
        crop[rows, columns] = io.resize_image(seen, crop[rows, columns].shape[:2])
        return crop

    def _surroundings(self, start, stop, length, size):
        """Widen a range of one axis by the border, as far as the picture goes.

        Returns
        -------
        target, source : slice
            The part of the crop that shows the picture, and the part of the picture it shows. One
            pixel is added to a range's length in pycaffe, and so here.
        """
        half = (stop - start + 1) / 2
        wide = half * size / (size - 2 * self.context_pad)
        low, high = (round(start + half + offset) for offset in (-wide, wide))
        factor = size / (high - low + 1)
        first = round(max(0, -low) * factor)
        low, high = max(low, 0), min(high, length)
        count = min(round((high - low + 1) * factor), size - first)
        return slice(first, first + count), slice(low, high)
