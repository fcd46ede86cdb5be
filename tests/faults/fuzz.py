"""Coverage-guided fuzzing of what reads files and texts: a value, or a refusal in words.

    python -m tests.faults.fuzz layers|distort|prototxt|journal [--seconds 600]

It needs atheris (`pip install atheris`), which exists for some versions of Python alone, so nothing
else here does. What escapes from a parser is printed with its input, and the exit code is not 0.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import atheris
from google.protobuf import text_format

with atheris.instrument_imports(include=["dreamlib"]):
    from dreamlib.ascent.objective_parser import parse_layers
    from dreamlib.errors import DreamError
    from dreamlib.pycaffe import prototxt
    from dreamlib.util.journal import Damaged, read_journal
    from dreamlib.video.distort import WITHOUT_CODE, parse_chain

SHAPES = {"conv1": (1, 16, 9, 9), "mixed/output": (1, 28, 5, 5)}

#: A file for what is read from one.
FILE = Path(tempfile.mkdtemp()) / "fuzzed"


def _layers(data):
    parse_layers(data.decode("utf-8", "replace"), SHAPES)


def _distort(data):
    parse_chain(data.decode("utf-8", "replace"), kinds=WITHOUT_CODE)


def _prototxt(data):
    FILE.write_bytes(data)
    text_format.MessageToString(prototxt.load_net(str(FILE), 1))


def _journal(data):
    FILE.write_bytes(data)
    read_journal(FILE, 5)


#: What is fuzzed -> the function, and inputs to begin with.
TARGETS = {
    "layers": (_layers, ["conv1[3]:2, mixed/output:-0.5", "conv1[1,2@0.5,0.5]|mixed/output"]),
    "distort": (_distort, ["zoom:0.05,rotate:2", "roll:rows:sine(3,4)", "shift:1,2 every 3"]),
    "prototxt": (_prototxt, ['name: "n" layer { name: "a" type: "ReLU" bottom: "b" top: "b" }',
                             'input: "data" input_dim: 1 layers { name: "a" type: RELU }']),
    "journal": (_journal, ['{"version": 5, "sha256": "0", "record": {}, "state": null}']),
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    read, seeds = TARGETS[options.target]
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_text(seed)

    def one(data):
        with contextlib.suppress(DreamError, Damaged):
            read(data)

    flags = [f"-max_total_time={options.seconds}", "-max_len=400", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
