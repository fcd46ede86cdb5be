"""A model is a folder: network, weights, labels, and what a dream must know about them.

``models/NAME/model.toml`` holds what the prototxt does not say: mean, channel order, scale, the
layer to dream, where the weights come from. A Caffe model folder of 2014 to 2016, which has no such
file, works too: the usual file names are looked for, and ImageNet's mean stands in where there is
none.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError, reading

GOOGLENET, EMBEDDED = "bvlc_googlenet", "efficientnet_lite0"
NOTEBOOK_END, NOTEBOOK_CLASSES = "inception_4c/output", "loss3/classifier"
IMAGENET_MEAN = (104.0, 116.0, 122.0)  # BGR, the notebook's
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Model:
    """A network and how to feed it.

    Attributes
    ----------
    name : str
        The folder's.
    folder, prototxt, weights : Path
        The files need not be there yet: see `has_weights`.
    labels : Path or None
        One class a line, in the order of the network's outputs.
    mean : tuple of 3 float
        Grey levels (0..255), in the network's channel order.
    channel_order : {"BGR", "RGB"}
        Network channel i is this colour.
    input_scale : float
        The network's input is ``(pixel - mean) * input_scale``, pixel 0..255.
    end : str
        The layer to dream when none is named; "" where nobody knows.
    class_layer : str or None
        Blob of the class scores before the softmax.
    source, licence : str
        For people.
    fetch : str
        The command that obtains the weights, from any folder; "" if there is none.
    """

    name: str
    folder: Path
    prototxt: Path
    weights: Path
    labels: Path | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    channel_order: str = "BGR"
    input_scale: float = 1.0
    end: str = ""
    class_layer: str | None = None
    source: str = ""
    licence: str = ""
    fetch: str = ""

    @property
    def has_weights(self) -> bool:
        """Whether network and weights are both there."""
        return self.prototxt.is_file() and self.weights.is_file()

    def require_weights(self) -> None:
        """Raise the DreamError that says how to obtain what is missing, if anything is."""
        self._require(self.prototxt, self.weights)

    def require_prototxt(self) -> None:
        """The same for the network alone."""
        self._require(self.prototxt)

    @reading()
    def _require(self, *files):
        for file in files:
            if not file.is_file():
                how = f"run: {self.fetch}" if self.fetch else f"put the file into {self.folder}"
                raise DreamError(f"model {self.name}: {file} is not there; {how}")

    @reading()
    def read_labels(self) -> list:
        """Class names (list of str) in the order of the network's outputs.

        WordNet numbers at the front of the lines ("n02123045 tabby, tabby cat") are left out.

        Raises
        ------
        DreamError
            The model has no labels.
        """
        if self.labels is None or not self.labels.is_file():
            how = f"run: {self.fetch}" if self.fetch else "write one class a line"
            expected = self.labels or self.folder / "labels.txt"
            raise DreamError(
                f"model {self.name} has no class names: {expected} is not there; {how}"
            )
        lines = self.labels.read_text(encoding="utf-8").splitlines()
        return [re.sub(r"^n\d{8}\s+", "", line).strip() for line in lines if line.strip()]


# Finding


@reading()
def find_model(name_or_folder: str | None = None) -> Model:
    """The model of that name, or in that folder.

    Parameters
    ----------
    name_or_folder : str, optional
        A name from `list_models`; or a folder, which needs a separator in it where it is also a
        name ("./NAME"). Without it: bvlc_googlenet if its weights are there, else the embedded
        efficientnet_lite0. Several folders of a name: the first that has weights, in the order of
        `search_path`.

    Raises
    ------
    DreamError
        There is no such model, or its folder does not say enough.
    """
    if name_or_folder is None:
        candidates = _folders_of(GOOGLENET)
        googlenet = _first_with_weights(candidates) if candidates else None
        return googlenet if googlenet and googlenet.has_weights else find_model(EMBEDDED)
    given = os.fspath(name_or_folder)
    candidates = [] if _is_path(given) else _folders_of(given)
    if candidates:
        return _first_with_weights(candidates)
    folder = Path(os.path.expanduser(given))
    if os.path.isdir(folder):
        return load_model(folder)
    if os.path.isfile(folder):
        raise DreamError(
            f"{given} is a file; expected a model's name or its folder: {folder.parent}"
        )
    names = sorted(_all_folders())
    near = difflib.get_close_matches(given, names, cutoff=0.4)
    hint = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(names) or 'none'}"
    searched = ", ".join(str(place) for place in search_path())
    raise DreamError(
        f"no model {given!r}; expected a folder or a name ({hint}), looked for in {searched}"
    )


def absolute_name(name_or_folder: str) -> str:
    """The same model, spelt so that a file can repeat it anywhere: a folder becomes absolute.

    Parameters
    ----------
    name_or_folder : str
    """
    folder = os.path.expanduser(name_or_folder)
    if os.path.isdir(folder) and (_is_path(name_or_folder) or not _folders_of(name_or_folder)):
        return os.path.abspath(folder)
    return name_or_folder


@reading()
def list_models() -> list:
    """Every model (list of Model, by name) in the folders of `search_path`, one per name."""
    return [_first_with_weights(folders) for _, folders in sorted(_all_folders().items())]


def search_path() -> list:
    """Where model folders are (list of Path): $DREAM_MODELS, ./models, the repository's."""
    given = [p for p in os.environ.get("DREAM_MODELS", "").split(os.pathsep) if p]
    places = [Path(p).expanduser() for p in given] + [Path("models")]
    places.append(REPOSITORY / "models")
    unique = {}
    for place in places:
        unique.setdefault(place.resolve(), place)
    return list(unique.values())


def _is_path(given):
    separators = [os.sep] + ([os.altsep] if os.altsep else [])
    return given in (".", "..") or given.startswith("~") or any(s in given for s in separators)


def _folders_of(name):
    return _all_folders().get(name, [])


def _all_folders():
    """Name -> folders of that name, in the order of the search path."""
    found = {}
    for place in search_path():
        if place.is_dir():
            for folder in sorted(place.iterdir()):
                if (folder / "model.toml").is_file() or (folder / "deploy.prototxt").is_file():
                    found.setdefault(folder.name, []).append(folder)
    return found


def _first_with_weights(folders):
    models = [load_model(folder) for folder in folders]
    return next((model for model in models if model.has_weights), models[0])


# Reading a folder


@reading()
def load_model(folder) -> Model:
    """The model in `folder` (path): what its ``model.toml`` says, else by the usual file names.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    DreamError
        model.toml has keys that are unknown or of the wrong kind; or two files could be meant; or
        something cannot be read.
    """
    folder = Path(folder)
    name = folder.resolve().name
    toml = folder / "model.toml"
    said = _read_toml(toml) if toml.is_file() else None
    return _from_files(name, folder, said)


def _read_toml(path):
    """What a model.toml says (dict), in plain Python; its problems are told all at once."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = path.read_text(encoding="utf-8")
        table = tomlkit.parse(text)
    except UnicodeDecodeError as error:
        raise DreamError(f"{path} is not TOML: it holds binary data") from error
    except TOMLKitError as error:
        raise DreamError(_explain_toml(path, text, error)) from error
    values, problems = {}, []
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(_KEYS)}"
            problems.append(f"unknown key {key}; {hint}")
            continue
        expected, read = _KEYS[key]
        values[str(key)] = read(value)
        if values[key] is None:
            given = tomlkit.dumps({key: value}).strip()
            problems.append(f"key {key}: expected {expected}; given: {given}")
    if len(problems) > 1:
        raise DreamError("\n  ".join([f"{path} has {len(problems)} problems:", *problems]))
    if problems:
        raise DreamError(f"{path}: {problems[0]}")
    return values


def _explain_toml(path, text, error):
    """Say where a file stops being TOML; the parser places an open list at the file's end."""
    line = 1
    for statement in re.split(r"^(?=[ \t]*[\w.-]+[ \t]*=)", text, flags=re.MULTILINE):
        bare = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|#.*", "", statement)
        if "=" in bare and bare.count("[") > bare.count("]"):
            return f"{path}, line {line}: the list that begins here is not closed; expected a ]"
        line += statement.count("\n")
    if r"\x00" in repr(str(error)):  # what the parser calls the end of the file
        return f"{path} is not TOML: its last line is not complete; expected key = value"
    return f"{path} is not TOML: {error}"


def _text(value):
    return str(value) if isinstance(value, str) and value.strip() else None


def _number(value):
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _scale(value):
    return _number(value) or None


def _three_numbers(value):
    numbers = [_number(v) for v in value] if isinstance(value, list) else []
    return tuple(numbers) if len(numbers) == 3 and None not in numbers else None


def _channel_order(value):
    return str(value) if value in ("BGR", "RGB") else None


# key -> what is expected, and the function that reads it (None: it is something else)
_KEYS = {
    "mean": ("three numbers, grey levels in channel_order", _three_numbers),
    "end": ("the name of the layer to dream", _text),
    "prototxt": ("a file name", _text),
    "weights": ("a file name", _text),
    "labels": ("a file name", _text),
    "channel_order": ('"BGR" or "RGB"', _channel_order),
    "input_scale": ("a number other than 0", _scale),
    "class_layer": ("the name of the blob before the softmax", _text),
    "source": ("text: where the weights come from", _text),
    "sha1": ("text: the SHA-1 of the weights", _text),
    "licence": ("text", _text),
    "fetch": ("text: the command that obtains the weights", _text),
}


def _from_files(name, folder, said):
    """The model of a folder; `said` is what its model.toml says, None without one."""
    values = dict(said or {})
    values.pop("sha1", None)
    for key in ("prototxt", "weights", "labels"):
        if key in values:
            values[key] = folder / values[key]
    if "prototxt" not in values:
        values["prototxt"] = _prototxt_of(folder)
    prototxt = values["prototxt"]
    if said is None and not prototxt.is_file():
        raise DreamError(
            f"{folder} is no model: it has neither model.toml nor deploy.prototxt "
            "nor another .prototxt of a network"
        )
    if "weights" not in values:
        named = folder / f"{name}.caffemodel"
        values["weights"] = (
            named if named.is_file() else _the_only(_files(folder, ".caffemodel"), "weights")
        ) or named
    if "labels" not in values:
        labels = [folder / file for file in ("labels.txt", "synset_words.txt")]
        values["labels"] = next((path for path in labels if path.is_file()), None)
    if "mean" not in values:
        values["mean"] = _mean_of(folder)
    text = prototxt.read_text(encoding="utf-8", errors="replace") if prototxt.is_file() else ""
    for key, blob in (("end", NOTEBOOK_END), ("class_layer", NOTEBOOK_CLASSES)):
        if key not in values and _has_top(text, blob):
            values[key] = blob
    if "fetch" in values:
        values["fetch"] = _from_anywhere(values["fetch"])
    return Model(name=name, folder=folder, **values)


def _prototxt_of(folder):
    """deploy.prototxt, else the only network, else where it should be."""
    usual = folder / "deploy.prototxt"
    if usual.is_file():
        return usual
    # what is for training does not count
    files = _files(folder, ".prototxt")
    nets = [path for path in files if not re.search("train|solver", path.name)]
    return _the_only(nets, "prototxt") or usual


def _from_anywhere(command):
    """A command with this repository's scripts, or make, spelt so that any folder can run it."""
    program, _, rest = command.partition(" ")
    script = REPOSITORY / program
    if program == "make" and (REPOSITORY / "Makefile").is_file():
        program = f"make -C {shlex.quote(str(REPOSITORY))}"
    elif script.is_file():
        program = shlex.quote(str(script))
    return f"{program} {rest}".strip()


def _files(folder, suffix):
    return sorted(p for p in folder.iterdir() if p.name.endswith(suffix) and p.is_file())


def _the_only(files, key):
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise DreamError(
            f"{files[0].parent}: which one is meant? {names}. "
            f"Keep one, or say which in a model.toml: {key} = ..."
        )
    return files[0] if files else None


def _has_top(text, blob):
    return re.search(rf"""\btop\s*:\s*["']{re.escape(blob)}["']""", text) is not None


def _mean_of(folder):
    """Per-channel mean of mean.npy, else of the only \\*.binaryproto, else ImageNet's."""
    path = folder / "mean.npy"
    if path.is_file():
        mean = _read_npy(path)
    else:
        path = _the_only(_files(folder, ".binaryproto"), "mean")
        if path is None:
            return IMAGENET_MEAN
        mean = _read_binaryproto(path)
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim not in (1, 3) or len(mean) != 3:
        raise DreamError(f"{path}: expected a mean of shape (3, H, W) or (3,); it has {mean.shape}")
    return tuple(float(channel.mean()) for channel in mean)


def _read_npy(path):
    try:
        with path.open("rb") as file:
            return np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DreamError(f"{path} is not a NumPy array: {error}") from error


def _read_binaryproto(path):
    from google.protobuf.message import DecodeError

    try:
        from caffe.proto import caffe_pb2
    except ImportError:
        from dreamlib.pycaffe.proto import caffe_pb2
    blob = caffe_pb2.BlobProto()
    try:
        blob.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise DreamError(f"{path} is not a mean file of Caffe (BlobProto): {error}") from error
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    data = np.array(blob.data or blob.double_data, np.float32)
    if data.size != np.prod(shape):
        raise DreamError(f"{path}: {data.size} values do not fill the shape {shape}")
    return data.reshape(shape)
