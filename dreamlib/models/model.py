"""A model is a folder: network, weights, labels, and what a dream must know about them.

``models/NAME/model.toml`` holds what the prototxt does not say: mean, channel order, scale, the
layer to dream, where the weights come from. A Caffe model folder of 2014 to 2016, which has no such
file, works too: the usual file names are looked for, and ImageNet's mean stands in where there is
none.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from dreamlib.errors import DreamError, nearest, reading
from dreamlib.models.labels import Label
from dreamlib.models.preprocessing import LARGEST, read_mean
from dreamlib.util.input_file import check_path, read_bytes, read_text
from dreamlib.util.setting import parse_table

NOTEBOOK_END, NOTEBOOK_CLASSES = "inception_4c/output", "loss3/classifier"
IMAGENET_MEAN = (104.0, 116.0, 122.0)  # BGR, the notebook's
TOML = "model.toml"
LABELS = ("labels.txt", "synset_words.txt")  # Caffe has the latter
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
    channel_order : {'BGR', 'RGB'}
        Network channel i is this colour.
    input_scale : float
        The network's input is ``(pixel - mean) * input_scale``, pixel 0..255.
    end : str
        The layer to dream when none is named; "" where nobody knows.
    dream : dict
        Settings of a picture's dream, by name, where nothing says what is dreamt; the notebook's
        without them.
    film : dict
        The same of a film's frames.
    hints : dict of str -> str
        Layer to a word or two on what it dreams, of the layers that somebody has looked at.
    class_layer : str or None
        Blob of the class scores before the softmax.
    source, licence : str
        For people.
    mirrors : tuple of str
        Other addresses of the weights, in the order to try them.
    sha1, sha256 : str
        Of the file at `source`; "" if it is not known.
    values_sha256 : str
        Of all values, from `dreamlib.models.weights.values_sha256`; "" if it is not known.
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
    dream: dict = field(default_factory=dict, hash=False)
    film: dict = field(default_factory=dict, hash=False)
    class_layer: str | None = None
    hints: dict = field(default_factory=dict, hash=False)
    source: str = ""
    mirrors: tuple[str, ...] = ()
    sha1: str = ""
    sha256: str = ""
    values_sha256: str = ""
    licence: str = ""
    fetch: str = ""

    @property
    def has_weights(self):
        """Whether network and weights are both there."""
        return self.prototxt.is_file() and self.weights.is_file()

    def require_weights(self):
        """Raise a DreamError with the way to obtain network and weights, unless both are there."""
        self._require(self.prototxt, self.weights)

    def require_prototxt(self):
        """Raise a DreamError with the way to obtain the network, unless it is there."""
        self._require(self.prototxt)

    @reading()
    def _require(self, *files):
        for file in files:
            if not file.is_file():
                how = self._how_to_fetch(f"put the file into {self.folder}")
                raise DreamError(f"model {self.name}: {file} is not there; {how}")

    def _how_to_fetch(self, otherwise):
        return f"run: {self.fetch}" if self.fetch else otherwise

    @reading()
    def read_labels(self):
        """Read the class names: a list of str in the order of the network's outputs.

        WordNet numbers at the front of the lines ("n02123045 tabby, tabby cat") are their `synset`.

        Raises
        ------
        DreamError
            The model has no labels.
        """
        if self.labels is None or not self.labels.is_file():
            expected = self.labels or self.folder / "labels.txt"
            raise DreamError(
                f"model {self.name} has no class names: {expected} is not there; "
                f"{self._how_to_fetch('write one class a line')}"
            )
        lines = read_text(self.labels, "a list of class names").splitlines()
        return [Label.of(line) for line in lines if line.strip()]

    def known_labels(self):
        """Read the class names, as `read_labels`; none where the model has none."""
        return self.read_labels() if self.labels and self.labels.is_file() else []


@reading()
def load_model(folder):
    """Read a model's folder: its ``model.toml``, and the usual file names for the rest.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Model

    Raises
    ------
    DreamError
        model.toml has keys that are unknown or of the wrong kind; or two files could be meant; or
        something cannot be read.
    """
    folder = Path(folder)
    name = folder.resolve().name
    toml = folder / TOML
    values = _read_toml(toml) if toml.is_file() else {}
    for key in ("prototxt", "weights", "labels"):
        if key in values:
            check_path(values[key])
            values[key] = folder / values[key]
    values["fetch"] = _from_anywhere(values.get("fetch", ""))
    prototxt = values.get("prototxt") or _prototxt_of(folder)
    if not toml.is_file() and not prototxt.is_file():
        raise DreamError(
            f"{folder} is no model: it has neither model.toml nor deploy.prototxt "
            "nor another .prototxt of a network"
        )
    text = read_bytes(prototxt).decode("utf-8", "replace") if prototxt.is_file() else ""
    blobs = set(re.findall(r"""\btop\s*:\s*["']([^"']+)["']""", text))
    found = {
        "prototxt": prototxt,
        "weights": values.get("weights") or _weights_of(folder, name),
        "labels": next(filter(Path.is_file, (folder / file for file in LABELS)), None),
        "mean": values.get("mean") or _mean_of(folder),
        "end": NOTEBOOK_END if NOTEBOOK_END in blobs else "",
        "class_layer": NOTEBOOK_CLASSES if NOTEBOOK_CLASSES in blobs else None,
    }
    return Model(name, folder, **{**found, **values})


# What model.toml says


def _text(value):
    return value if isinstance(value, str) and value.strip() else None


def _number(value):
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= LARGEST else None  # not where it is NaN, either


def _scale(value):
    number = _number(value)
    return number if number and abs(number) >= 1 / LARGEST else None


def _three_numbers(value):
    numbers = [_number(one) for one in value] if isinstance(value, list) else []
    return tuple(numbers) if len(numbers) == 3 and None not in numbers else None


def _texts(value):
    texts = isinstance(value, dict) and all(map(_text, value.values()))
    return value if texts else None


def _addresses(value):
    texts = [_text(one) for one in value] if isinstance(value, list) else [None]
    return None if None in texts else tuple(texts)


def _hexadecimal(digits):
    return lambda value: value if re.fullmatch(f"[0-9a-f]{{{digits}}}", str(value)) else None


#: Key -> what is expected, and the function that reads it; None is something else.
_KEYS = {
    "mean": ("three numbers, finite grey levels in channel_order", _three_numbers),
    "end": ("the name of the layer to dream", _text),
    "dream": ("a table of settings", lambda value: value if isinstance(value, dict) else None),
    "film": ("a table of settings", lambda value: value if isinstance(value, dict) else None),
    "hints": ("a table of texts, by layer", _texts),
    "prototxt": ("a file name", _text),
    "weights": ("a file name", _text),
    "labels": ("a file name", _text),
    "channel_order": ('"BGR" or "RGB"', lambda value: value if value in ("BGR", "RGB") else None),
    "input_scale": ("a number other than 0, and finite, as 0.017", _scale),
    "class_layer": ("the name of the blob before the softmax", _text),
    "source": ("text: where the weights come from", _text),
    "mirrors": ("a list of addresses", _addresses),
    "sha1": ("text: the SHA-1 of the file at source, 40 digits 0-9a-f", _hexadecimal(40)),
    "sha256": ("text: the SHA-256 of the file at source, 64 digits 0-9a-f", _hexadecimal(64)),
    "values_sha256": ("text: the SHA-256 of all values, 64 digits 0-9a-f", _hexadecimal(64)),
    "licence": ("text", _text),
    "fetch": ("text: the command that obtains the weights", _text),
}


def _read_toml(path):
    """Read a model.toml into a dict; all its problems make one error."""
    try:
        text = read_text(path, "TOML")
        table = parse_table(text, ".toml")
    except ValueError as error:
        raise DreamError(_explain_toml(path, text, error)) from error
    values, problems = {}, []
    for key, value in table.items():
        if key not in _KEYS:
            known = f"; known keys: {', '.join(_KEYS)}"
            problems.append(f"unknown key {key}{nearest(key, _KEYS) or known}")
            continue
        expected, read = _KEYS[key]
        values[key] = read(value)
        if values[key] is None:
            problems.append(f"key {key}: expected {expected}; given: {key} = {json.dumps(value)}")
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
    if r"\x00" in repr(str(error)):  # the parser's name for the end of the file
        return f"{path} is not TOML: its last line is not complete; expected key = value"
    return f"{path} is not TOML: {error}"


def _from_anywhere(command):
    """Spell a command with this repository's scripts, or make, so that any folder can run it."""
    program, _, rest = command.partition(" ")
    script = REPOSITORY / program
    if program == "make" and (REPOSITORY / "Makefile").is_file():
        program = f"make -C {shlex.quote(str(REPOSITORY))}"
    elif script.is_file():
        program = shlex.quote(str(script))
    return f"{program} {rest}".strip()


# What the usual files say


def _prototxt_of(folder):
    """Return deploy.prototxt, else the only network, else the only one for training.

    Without any it is the place where deploy.prototxt should be.
    """
    usual = folder / "deploy.prototxt"
    if usual.is_file():
        return usual
    nets = [path for path in _files(folder, ".prototxt") if "solver" not in path.name]
    deployed = [path for path in nets if "train" not in path.name]
    return _the_only(deployed or nets, "prototxt") or usual


def _weights_of(folder, name):
    named = folder / f"{name}.caffemodel"
    if named.is_file():
        return named
    return _the_only(_files(folder, ".caffemodel"), "weights") or named


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


def _mean_of(folder):
    path = folder / "mean.npy"
    if not path.is_file():
        path = _the_only(_files(folder, ".binaryproto"), "mean")
    return read_mean(path) if path else IMAGENET_MEAN
