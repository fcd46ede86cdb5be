"""Caffe's classify.py and detect.py, with their flags of old."""

import csv
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from dreamlib import pycaffe as caffe
from dreamlib.pycaffe import classify, detect
from dreamlib.pycaffe.programs import ILSVRC_MEAN
from tests.nets import picture, write_random_net


@pytest.fixture
def folder(tmp_path):
    """A net and two pictures."""
    write_random_net(tmp_path)
    for seed in (0, 1):
        PIL.Image.fromarray(picture(90, 80, seed)).save(tmp_path / f"{'ba'[seed]}.png")
    return tmp_path


def net_flags(folder):
    prototxt, weights = folder / "deploy.prototxt", folder / "random.caffemodel"
    return ["--model_def", str(prototxt), "--pretrained_model", str(weights)]


def files(folder, **options):
    prototxt, weights = folder / "deploy.prototxt", folder / "random.caffemodel"
    mean, swap = np.float32(ILSVRC_MEAN), (2, 1, 0)
    return str(prototxt), str(weights), {"mean": mean, "raw_scale": 255, "channel_swap": swap}


def test_a_folder_is_classified_in_the_order_of_names(folder):
    flags = [*net_flags(folder), "--images_dim", "70,72", "--ext", "png"]
    classify.main([str(folder), str(folder / "scores"), *flags])
    prototxt, weights, options = files(folder)
    ours = caffe.Classifier(prototxt, weights, image_dims=(70, 72), **options)
    pictures = [caffe.io.load_image(str(folder / name)) for name in ("a.png", "b.png")]
    np.testing.assert_array_equal(np.load(folder / "scores.npy"), ours.predict(pictures))


def test_an_array_of_pictures_is_classified_by_its_centre_without_mean(folder):
    pictures = np.random.RandomState(0).rand(3, 64, 64, 3).astype(np.float32)
    np.save(folder / "pictures.npy", pictures)
    flags = [*net_flags(folder), "--mean_file", "", "--channel_swap", "", "--raw_scale", "2"]
    flags += ["--center_only", "--images_dim=64,64", "--input_scale", "0.5"]
    classify.main([str(folder / "pictures.npy"), str(folder / "out.npy"), *flags])
    prototxt, weights, _ = files(folder)
    net = caffe.Net(prototxt, weights, caffe.TEST)
    scores = net.forward_all(data=pictures.transpose(0, 3, 1, 2))["prob"]
    np.testing.assert_allclose(np.load(folder / "out.npy"), scores, rtol=1e-5)


def table_of(path, *rows, header="filename, xmin, ymin, xmax, ymax"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_windows_of_a_table_are_scored_in_a_table(folder):
    a, b = folder / "a.png", folder / "b.png"
    windows = table_of(folder / "w.csv", f"{a}, 4, 6, 60, 70", f"{b},0,0,80,90", f"{a},10,20,50,44")
    flags = [*net_flags(folder), "--crop_mode=list", "--context_pad", "8"]
    detect.main([windows, str(folder / "out.csv"), *flags])
    prototxt, weights, options = files(folder)
    detector = caffe.Detector(prototxt, weights, context_pad=8, **options)
    expected = detector.detect_windows(
        [(str(a), [(6, 4, 70, 60), (20, 10, 44, 50)]), (str(b), [(0, 0, 90, 80)])]
    )
    with open(folder / "out.csv", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["filename", "ymin", "xmin", "ymax", "xmax", *(f"class{n}" for n in range(10))]
    assert [row[0] for row in rows] == [str(a), str(a), str(b)]
    assert rows[1][1:5] == ["20", "10", "44", "50"]
    scores = np.float32([row[5:] for row in rows])
    np.testing.assert_array_equal(scores, [each["prediction"] for each in expected])


def test_a_table_as_hdf5_is_what_pandas_reads(folder):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    windows = table_of(folder / "w.csv", f"{folder / 'a.png'},4,6,60,70")
    detect.main([windows, str(folder / "o.h5"), *net_flags(folder), "--crop_mode=list"])
    frame = pandas.read_hdf(folder / "o.h5", "df")
    assert list(frame[["ymin", "xmin", "ymax", "xmax"]].iloc[0]) == [6, 4, 70, 60]
    assert frame["prediction"].iloc[0].shape == (10,)


def refused(module, *arguments):
    """Run a program that is to end with 2; return what it says."""
    command = [sys.executable, "-m", f"dreamlib.pycaffe.{module}", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_missing_picture_is_said_without_traceback(folder):
    said = refused("classify", folder / "c.png", folder / "out.npy", *net_flags(folder))
    assert "c.png" in said
    assert not (folder / "out.npy").exists()


def test_selective_search_says_what_to_do_instead(folder):
    windows = table_of(folder / "w.csv", f"{folder / 'a.png'},4,6,60,70")
    said = refused("detect", windows, folder / "out.csv", *net_flags(folder))
    assert "selective_search" in said


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.csv", "filename,xmin,ymin,xmax\n", "has no column ymax"),
        (
            "w.csv",
            "filename,xmin,ymin,xmax,ymax\na.png,1,2,x,4\n",
            "w.csv, line 2: expected a name and four numbers",
        ),
        ("w.lst", "a.png\n", "expected .txt"),
    ],
    ids=["column", "number", "ending"],
)
def test_a_table_that_is_wrong_is_named(folder, name, content, words):
    (folder / name).write_text(content)
    said = refused("detect", folder / name, folder / "o.csv", *net_flags(folder))
    assert words in said


def test_a_table_as_hdf5_without_pandas_is_refused_before_work(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    windows = table_of(folder / "w.csv", f"{folder / 'a.png'},4,6,60,70")
    with pytest.raises(caffe.CaffeError.__mro__[1], match="pip install pandas tables"):
        detect.main([windows, str(folder / "o.h5"), "--crop_mode=list"])
