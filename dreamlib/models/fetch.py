"""The published weights of a model: from the address of their makers, else from mirrors.

An address is read by how it ends: ``.tar.gz`` is an archive with the caffemodel in it, ``.pth`` a
PyTorch state dict, ``/`` a folder of plain arrays, anything else the caffemodel itself. Whatever
the form, there is one verdict before the model's own file is touched: the file is the published
one, by its checksum; or every value is, by the SHA-256 of the values; or, where neither is known,
every layer is there in its shape. The values' SHA-256 is then written beside the file, and expected
of whatever is fetched later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import shutil
import tarfile
import zlib
from pathlib import Path
from urllib.parse import urlsplit

from dreamlib.errors import DreamError
from dreamlib.models.definition import definition_of
from dreamlib.models.engines import import_engine, load_layers
from dreamlib.models.weights import (
    array_files,
    check_layers,
    layer_shapes,
    read_arrays,
    read_caffemodel,
    read_state_dict,
    values_sha256,
    write_caffemodel,
)
from dreamlib.util.atomic_write import replacing
from dreamlib.util.download import Cut, download

#: Times that a download which was cut is resumed before the next address is tried.
RESUMED = 3


def fetch_weights(model, addresses=None, checksum=None, say=print):
    """Fetch a model's weights, unless they are there and right.

    Parameters
    ----------
    model : dreamlib.models.model.Model
        ``model.weights`` is replaced once the verdict is good; until then it is as it was. Beside
        it what was downloaded before a cut is kept: ``*.part``.
    addresses : list of str, optional
        Tried in this order; by default the model's ``source`` and ``mirrors``.
    checksum : str, optional
        SHA-256 or SHA-1 of the file at an address, where it holds other weights of the same network
        than the published ones.
    say : callable
        Given lines for the person at the keyboard.

    Raises
    ------
    DreamError
        No address gave the weights, each for a reason that was said; or the folder cannot be
        written; or the model's network is missing.
    """
    fetcher = _Fetcher(model, checksum, say)
    if model.weights.is_file():
        try:
            say(f"{model.weights} is there already: {fetcher.judge_present()}")
            return
        except DreamError as error:
            say(f"{error}; it is kept until the right one is there")
    _require_folder(model.weights.parent)
    addresses = addresses or [model.source, *model.mirrors]
    cut = False
    for address in addresses:
        say(f"fetching {address}")
        try:
            say(f"{model.weights}: {fetcher.fetch(address)}")
            return
        except Cut as error:
            cut = True
            say(f"  {error}; what has come is kept")
        except DreamError as error:
            say(f"  {error}")
    tried = "the address" if len(addresses) == 1 else f"any of {len(addresses)} addresses"
    raise DreamError(
        f"the weights of {model.name} could not be fetched from {tried}, for the reasons above. "
        + ("Run this again to resume; or check" if cut else "Check")
        + " the connection; or name a mirror, DREAM_MODEL_URL=ADDRESS; or fetch the file in "
        f"another way, put it there and run this again to check it: {model.weights}"
    )


class _Fetcher:
    """A model's weights from an address, judged."""

    def __init__(self, model, checksum, say):
        self.model = model
        self.say = say
        self.checksum = (checksum or model.sha256 or model.sha1).lower()
        self.values, self.said_by = "", ""
        if not checksum:
            self.values, self.said_by = _known_values(model)
        self.caffe = import_engine("auto")
        self.shapes = layer_shapes(load_layers(model))

    def judge_present(self):
        """Return the verdict on the file that is there, or raise a DreamError."""
        path = self.model.weights
        layers = read_caffemodel(self.model, self.caffe)
        return self._verdict(layers, path, self._checksums(path, "caffemodel", path.name))

    def fetch(self, address):
        """Put the weights from an address in place; return the verdict, or raise a DreamError."""
        form = _form(address)
        key = hashlib.sha1(address.encode()).hexdigest()[:8]
        part = self.model.weights.with_name(f"{self.model.weights.name}.{key}.part")
        if form == "arrays":
            self._download_arrays(address, part)
        else:
            _download(address, part)
        try:
            _refuse_web_page(part, address)
            return self._put_in_place(part, form, address)
        except BaseException:
            _remove(part)
            raise

    def _download_arrays(self, address, folder):
        files = [file for names in array_files(self.shapes).values() for file in names]
        coming = folder.with_suffix(".file.part")  # of the first that is not in the folder
        for number, file in enumerate(files, 1):
            path = folder / file
            if not path.is_file():
                _download(f"{address}{file}", coming, f"{number}/{len(files)} {file}")
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(coming, path)

    def _put_in_place(self, part, form, address):
        checksums = self._checksums(part, form, address)
        if form in ("caffemodel", "archive"):
            with self._unpacked(part, form, address) as caffemodel:
                model = dataclasses.replace(self.model, weights=caffemodel)
                with _naming(address, caffemodel):
                    layers = read_caffemodel(model, self.caffe)
                verdict = self._verdict(layers, address, checksums)
                _move(caffemodel, self.model.weights)
        else:
            read = read_arrays if form == "arrays" else read_state_dict
            with _naming(address, part):
                layers = read(part, self.shapes)
            verdict = self._verdict(layers, address, checksums)
            definition = definition_of(self.model, self.caffe)
            write_caffemodel(self.model.weights, layers, definition)
        _remove(part)
        self._remember(layers)
        return verdict

    def _remember(self, layers):
        """Write the SHA-256 of the values beside weights of which none was published."""
        if not self.model.values_sha256 and not self.values:
            memory, found = _memory(self.model), values_sha256(layers, self.shapes)
            with replacing(memory) as temporary:
                Path(temporary).write_text(found + "\n")
            self.say(f"{memory}: {found}, of its values; those of later downloads must be the same")

    def _checksums(self, file, form, address):
        """Return a file's checksum and that which is expected; nothing where none is known."""
        path = urlsplit(address).path
        named = re.search(r"-([0-9a-f]{8,64})\.pth$", path)  # as torch.hub names its files
        if named:
            return _checksum(file, "sha256")[: len(named[1])], named[1]
        if self.checksum and form == _form(self.model.source):
            kind = "sha1" if len(self.checksum) == 40 else "sha256"
            return _checksum(file, kind), self.checksum
        return ()

    def _verdict(self, layers, path, checksums):
        """Say why weights are the right ones, or raise a DreamError.

        Parameters
        ----------
        layers : dict
        path : str or Path
            For the error.
        checksums : tuple
            From `_checksums`.
        """
        published = len(set(checksums)) == 1
        check_layers(layers, self.shapes, path, extra=bool(published or self.values))
        if published:
            return "the published file, by its checksum"
        found = values_sha256(layers, self.shapes)
        if self.values:
            if found == self.values:
                count = sum(array.size for name in self.shapes for array in layers[name])
                return f"all {count:,} values are {self.said_by}, by their SHA-256"
            raise DreamError(
                f"{path}: every layer is there in its shape, but the values are others than "
                f"{self.said_by}: their SHA-256 is {found}, expected {self.values}"
            )
        if not checksums:
            return (
                "every layer is there in its shape; no checksum is published. To compare with "
                f"others': the SHA-256 of its values is {found}"
            )
        checksum, expected = checksums
        raise DreamError(f"{path}: another file, its checksum is {checksum}, expected {expected}")

    @contextlib.contextmanager
    def _unpacked(self, part, form, address):
        """Give the caffemodel itself, out of its archive, and remove it if it is still there."""
        if form != "archive":
            yield part
            return
        caffemodel = part.with_suffix(".unpacked.part")
        try:
            _unpack(part, self.model.weights.name, caffemodel, address)
            yield caffemodel
        finally:
            _remove(caffemodel)


def _memory(model):
    """Where the SHA-256 of fetched values is kept."""
    return model.weights.with_name(model.weights.name + ".values_sha256")


def _known_values(model):
    """Return the SHA-256 that values must have, "" if none is known, and whose they are."""
    if model.values_sha256:
        return model.values_sha256, "the published ones"
    memory = _memory(model)
    try:
        kept = memory.read_text().strip()
    except FileNotFoundError:
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        raise DreamError(f"{memory} cannot be read: {error}; remove it") from error
    if not re.fullmatch("[0-9a-f]{64}", kept):
        raise DreamError(f"{memory} holds {kept[:80]!r}; expected a SHA-256. Remove it")
    return kept, f"those fetched before (by {memory}; to take others, remove that file)"


def _form(address):
    path = urlsplit(address).path
    for ending, form in (("/", "arrays"), (".pth", "state dict"), (".tar.gz", "archive")):
        if path.endswith(ending):
            return form
    return "caffemodel"


def _download(address, part, title=None):
    """Download a file, and resume it while that brings more of it."""
    for left in reversed(range(RESUMED + 1)):
        before = part.stat().st_size if part.is_file() else 0
        try:
            return download(address, part, title)
        except Cut:
            if not left or part.stat().st_size <= before:
                raise


def _refuse_web_page(part, address):
    if part.is_file():
        with open(part, "rb") as file:
            begin = file.read(512).lstrip().lower()
        if begin.startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DreamError(f"{address}: a web page, not the weights")


def _unpack(archive, name, target, address):
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == name:
                    with tar.extractfile(member) as packed, open(target, "wb") as file:
                        shutil.copyfileobj(packed, file)
                    return
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DreamError(f"{address}: the archive cannot be unpacked: {error}") from error
    raise DreamError(f"{address}: there is no {name} in the archive")


def _move(path, target):
    """Put a file in the place of another; where that is a link, of what it points to."""
    try:
        os.replace(path, os.path.realpath(target))
    except OSError as error:
        raise DreamError(f"{target} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _naming(address, path):
    """Name the address in an error, not the file, which goes."""
    try:
        yield
    except DreamError as error:
        raise DreamError(str(error).replace(str(path), address)) from error


def _checksum(path, kind):
    digest = hashlib.new(kind)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _require_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DreamError(f"{folder} cannot be made: {error.strerror}; name another") from error
    if not os.access(folder, os.W_OK):
        raise DreamError(f"{folder} cannot be written into; name a folder of your own")


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
