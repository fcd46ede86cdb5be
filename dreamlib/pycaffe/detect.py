"""Caffe's detect.py: ``python -m dreamlib.pycaffe.detect --crop_mode list windows.csv out.csv``."""

from __future__ import annotations

import argparse
import csv
import time

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.pycaffe import programs
from dreamlib.pycaffe.detector import Detector
from dreamlib.util.input_file import read_text

EDGES = ("ymin", "xmin", "ymax", "xmax")


def main(arguments):
    """Classify windows of pictures, and write a table of their scores.

    Parameters
    ----------
    arguments : list of str

    Raises
    ------
    DreamError
        A file is missing, or not what it should be.
    """
    parser = argparse.ArgumentParser(prog="detect", description=__doc__)
    add = parser.add_argument
    add("input_file", help="table of windows (.csv), or list of pictures' names (.txt)")
    add("output_file", help="table of scores: .csv, or .h5 with pandas and tables")
    programs.add_net_flags(parser)
    add(
        "--crop_mode",
        choices=["list", "selective_search"],
        default="selective_search",
        help="where windows come from; list: the table, which has the columns filename, "
        + ", ".join(EDGES),
    )
    add(
        "--context_pad",
        type=int,
        default=16,
        help="width of the border, in the input's pixels, that shows a window's surroundings (16)",
    )
    given = parser.parse_args(arguments)

    print("Loading input...")
    pictures = _read(given.input_file)
    write_table = _writer(given.output_file)
    options = programs.net_options(given)
    if options["mean"] is not None and options["mean"].ndim == 3:
        options["mean"] = options["mean"].mean((1, 2))
    detector = Detector(
        str(given.model_def),
        str(given.pretrained_model),
        context_pad=given.context_pad,
        **options,
    )
    start = time.time()
    if given.crop_mode == "list":
        if not any(windows for _, windows in pictures):
            raise DreamError(f"{given.input_file} has no windows; --crop_mode list needs a .csv")
        found = detector.detect_windows(pictures)
    else:
        found = detector.detect_selective_search([name for name, _ in pictures])
    print(f"Processed {len(found)} windows in {time.time() - start:.3f} s.")
    programs.write(given.output_file, lambda path: write_table(path, found))
    print(f"Saved to {given.output_file}.")


def _read(path):
    """Return pictures' names, each with its windows: in the order of their first mention."""
    if path.lower().endswith("txt"):
        names = read_text(path, "a list of pictures").splitlines()
        return [(name.strip(), []) for name in names if name.strip()]
    if not path.lower().endswith("csv"):
        raise DreamError(f"{path}: expected .txt, a list of pictures, or .csv, a table of windows")
    lines = read_text(path, "a table of windows").splitlines()
    table, windows = csv.DictReader(lines, skipinitialspace=True), {}
    try:
        missing = {"filename", *EDGES} - set(table.fieldnames or ())
        if missing:
            raise DreamError(
                f"{path} has no column {', '.join(sorted(missing))}; its first line names "
                f"filename, {', '.join(EDGES)}"
            )
        for row in table:
            edges = tuple(int(float(row[edge])) for edge in EDGES)
            windows.setdefault(str(row["filename"]), []).append(edges)
    except (csv.Error, TypeError, ValueError, OverflowError) as error:
        raise DreamError(
            f"{path}, line {table.line_num}: expected a name and four numbers, {', '.join(EDGES)}"
        ) from error
    return list(windows.items())


def _writer(path):
    """Return what writes windows and scores by a file's ending, before any work is done."""
    if path.lower().endswith(".csv"):
        return _write_csv
    if not path.lower().endswith((".h5", ".hdf5")):
        raise DreamError(f"{path}: the table of scores is .csv or .h5")
    try:
        import pandas  # noqa: F401
        import tables  # noqa: F401
    except ImportError as error:
        raise DreamError(
            f"{path}: a table as HDF5 needs the packages pandas and tables, which are not all "
            "installed: pip install pandas tables; or write a .csv"
        ) from error
    return _write_hdf5


def _write_csv(path, found):
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        classes = found[0]["prediction"].size if found else 0
        table.writerow(["filename", *EDGES, *(f"class{number}" for number in range(classes))])
        for each in found:
            scores = each["prediction"].ravel().tolist()
            table.writerow([each["filename"], *each["window"], *scores])


def _write_hdf5(path, found):
    import pandas

    frame = pandas.DataFrame({"prediction": [each["prediction"] for each in found]})
    frame.index = pandas.Index([each["filename"] for each in found], name="filename")
    edges = np.array([each["window"] for each in found]).reshape(-1, 4)
    for number, edge in enumerate(EDGES):
        frame[edge] = edges[:, number]
    # In memory: HDF5 locks files, as `replacing` does.
    in_memory = {"driver": "H5FD_CORE", "driver_core_backing_store": 0}
    with pandas.HDFStore("scores.h5", "w", **in_memory) as store:
        store.put("df", frame)
        content = store.root._v_file.get_file_image()
    with open(path, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    programs.run(main, "detect")
