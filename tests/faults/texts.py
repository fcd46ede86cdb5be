"""Hostile flags, and files of settings: every setting with values that are odd, long or no text."""

import json
import random

from dreamlib.settings import BY_NAME, SETTINGS
from tests.faults.pictures import damage, png, saved, write
from tests.faults.trial import OUTPUT, Case

#: Values that any setting may be given.
ODD = {
    "empty": "",
    "blank": " ",
    "nan": "nan",
    "inf": "inf",
    "1e400": "1e400",
    "-1": "-1",
    "0": "0",
    "-0.0": "-0.0",
    "tiny": "1e-320",
    "digits": "9" * 4300,
    "more digits": "1" * 100_000,
    "arabic": "٣",
    "superscript": "²",
    "nul": "a\0b",
    "bytes": "\udcff\udcfe",
    "surrogate": "\ud800",
    "long": "x" * 100_000,
    "long words": "word " * 20_000,
    "name": "n" * 300,
    "path": "../" * 2000,
    "commas": "," * 20_000,
    "colons": ":" * 20_000,
    "brackets": "[" * 20_000,
    "parentheses": "(" * 20_000,
    "quotes": "\"'" * 9,
    "newline": "a\n\nb",
    "escape": "\x1b[2J",
    "percent": "%s%n{0}",
    "loop": "loop.png",
    "fifo": "fifo.png",
    "zero": "/dev/zero",
}

#: And what some of them could be hurt by.
OF_ONE = {
    "layers": (
        "conv1:nan",
        "conv1:inf",
        "conv1:1e400",
        "conv1[0-999999999999]",
        "mean(" * 5000,
        "conv1[" + "9" * 5000 + "]",
        "conv1[²]",
        "conv1[" + "0," * 50_000 + "0]",
        "conv1:1e38",
        "conv1:1e-45",
        "conv1[1]@" + "9" * 5000 + "x1",
        "conv1," * 3000,
        "conv1:" + "1" * 5000,
        "conv1:.",
        "conv1[3-1]",
        "style(" * 1500 + "conv1, sky.png)",
        "style(conv1, sky.png)," * 400,
        "style(conv1, fifo.png)",
        "conv1@loop.png",
        "conv1@" + "x" * 9000,
        "style(conv1, sky.png):1e38",
        "conv1@sky.png:1e400",
    ),
    "guide_layer": ("conv1," * 1600, "conv1@fifo.png", "conv1[1]", "conv1:0", "(" * 9000),
    "target": (
        "9" * 5000,
        "²",
        "a" * 100_000,
        "1:nan",
        "1:1e400",
        "random," * 3000,
        "1:" + "9" * 5000,
        "-1",
    ),
    "guide": ("sky.png:nan", "sky.png:1e400", "sky.png," * 300, "x" * 100_000, "sky.png:1e38"),
    "smooth": ("1," * 20_000 + "1", "9" * 5000, "1e9", "99999999", "0.", "٣"),
    "region": ("0,0,1,1", "9" * 5000 + ",0,1,1", "0,0,99999999999,5", "\u0660,0,\u0663,3"),
    "memory": ("9" * 5000, "0", "1", "99999999999T", "0.0000001K", "٣G"),
    "devices": ("cpu," * 3000 + "cpu", "cuda:" + "9" * 5000, "cuda:²"),
    "vary": (
        "iterations:" + "|".join("1" for _ in range(5000)),
        "end:" + "|".join(["conv1"] * 5000),
        "octaves:1..9",
        "tv:nan..1",
        "tv:1e400..2",
        "tv:0~1/" + "9" * 5000,
        "tv:0~1/²",
        "tv:" * 5000,
        "guide:" + "|".join(["sky.png"] * 5000),
        "octaves:1.." + "9" * 5000,
        ", " * 20_000 + "tv:1..2",
        "layers:" + "..".join(["conv1"] * 600),
        "layers:conv1.." + "." * 9000 + "norm1",
        "target:1..1:-1",
        "guide:sky.png..fifo.png",
        "layers:conv1:1e38..conv1:-1e38",
    ),
    "distort": (
        "zoom:nan",
        "zoom:1e400",
        "zoom:" + "9" * 5000,
        "zoom:0.1," * 3000,
        "python:os:getcwd",
        "python:" + "x" * 9000 + ":f",
        "roll:rows:" + "+".join(["1"] * 9000),
        "roll:rows:sine(1,1e-320)",
        "roll:rows:" + "(" * 5000,
        "palette:256",
        "grid:999x999",
        "shift:1e308,1e308",
        "rotate:1e308",
        "zoom:1",
        "zoom:-1e9",
        "hue:1e308",
        "blur:100",
        "palette:²",
        "python:os.path:join",
        "python::",
    ),
    "judges": ("," * 9, "efficientnet_lite0," * 500),
    "script": ("x" * 300 + ".toml", "fifo.toml", "/dev/zero.toml"),
    "cluster": ("tcp://", "tcp://[::1", "tcp://x:" + "9" * 5000, "ssh://x", "/dev/zero"),
    "model": ("/dev/zero", "/proc/self", "~" + "u" * 300, "~nobody/x", "m\0m", "./" + "x" * 300),
    "end": ("conv1\n", "data", "prob"),
    "work_dir": ("/dev/null/x", "/proc/x", "w" * 300, "w\0"),
    "precision": ("float16",),
    "fps": ("1e-320", "1e-9"),
    "step_size": ("1e-320", "1e-45"),
    "octave_scale": ("1.0000000000000002", "1.0001"),
    "keep_forms": ("1e-320", "1000"),
    "tile_size": ("16", "65536"),
    "overlap": ("32768",),
    "jitter": ("100000",),
    "schedule": ("random", "spiral"),
}

#: Files that a config may be.
NESTED = 100_000


def cases(dream, few=False):
    """Make the cases of flags: each setting's, by the command's flag and by a JSON file."""
    values = dict(list(ODD.items())[:: 7 if few else 1])
    for setting in SETTINGS:
        own = list(enumerate(OF_ONE.get(setting.name, ())))[:: 5 if few else 1]
        tried = {**values, **{f"own {number}": text for number, text in own}}
        for name, text in tried.items():
            more = _needed(setting, dream)
            flags = [setting.flag] if setting.kind is bool else [f"{setting.flag}={text}"]
            yield Case(f"flag {setting.name} {name}", [*more, *flags], _files)
            content = json.dumps({setting.name: text}).encode()
            yield Case(
                f"key {setting.name} {name}",
                [*more, "--config", "c.json"],
                lambda content=content: (_files(), write("c.json", content)),
            )
    for name, text in values.items():
        for flag in (
            "--config",
            "--preset",
            "--save-config",
            "--contact-sheet",
            "--assemble",
            "--find-class",
        ):
            source = [] if flag == "--assemble" else ["sky.png", OUTPUT]
            yield Case(f"flag {flag} {name}", [*source, f"{flag}={text}", *dream], _files)
        yield Case(f"output {name}", ["sky.png", text, *dream], _files)
        yield Case(f"output {name}.png", ["sky.png", text + ".png", *dream], _files)


def _needed(setting, dream):
    """A small dream in which a setting means something."""
    job = setting.applies_to[0]
    if "picture" in setting.applies_to:
        job = "picture"
    words = ["sky.png", "film" if job == "frames" else OUTPUT, *dream]
    if setting.name in (
        "vary",
        "distort",
        "distort_every",
        "frame_format",
        "keep_tone",
        "gif",
        "webp",
        "mp4",
        "fps",
        "loop",
        "reverse",
        "boomerang",
        "carry",
    ):
        words = ["sky.png", "film", "--frames", "2", *dream]
    if setting.name in ("model", "engine", "precision", "end"):
        words = [word for word in words if word != f"--{setting.name}"]
    needs = {"target": "1", "guide": "sky.png", "mask": "sky.png"}
    for name in setting.needs[:1]:
        words += [BY_NAME[name].flag, needs[name]]
    return words


def _files():
    import os

    write("sky.png", saved("png", (48, 56)))
    os.symlink("loop.png", "loop.png")
    for name in ("fifo.png", "fifo.toml"):
        os.mkfifo(name)


def configs(dream, count, seed=0):
    """Make the cases of files with settings: TOML, JSON, pictures and octave scripts."""
    chance = random.Random(seed)
    toml = b'octaves = 2\nlayers = "conv1:0.5, mean(norm1)"\nstep_size = 1.5\nclip = true\n'
    whole = {
        "c.toml": toml,
        "c.json": b'{"octaves": 2, "layers": "conv1[1-3]", "step_size": 1.5, "clip": true}',
        "s.toml": b"[[octave]]\niter_n = 1\nstart_step_size = 2\nend_step_size = 1.5\nturn = 9\n",
    }
    files = {}
    for name, content in whole.items():
        for number in range(count):
            files[f"{name} {number}"] = name, damage(content, chance, number)
    for kind, content in harmful().items():
        files[kind] = f"c.{kind.split()[0]}", content
    for name, content in pictures_with_settings().items():
        files[f"picture {name}"] = "c.png", content
    for name, (path, content) in files.items():
        flag = "--script" if path == "s.toml" else "--config"
        yield Case(
            f"config {name}",
            ["sky.png", OUTPUT, flag, path, *dream],
            lambda path=path, content=content: (_files(), write(path, content)),
        )
    for path in (
        "fifo.toml",
        "/dev/zero",
        "/dev/zero.toml",
        "loop.png",
        "m" * 300 + ".toml",
        "nul\0.toml",
    ):
        yield Case(f"config {path[:20]}", ["sky.png", OUTPUT, "--config", path, *dream], _files)


def harmful():
    """Texts that are made to do harm; their name begins with the suffix."""
    return {
        "json list": b"[" * NESTED,
        "json dict": b'{"a":' * NESTED,
        "json closed": b"[" * NESTED + b"]" * NESTED,
        "toml list": b"a = " + b"[" * NESTED,
        "toml table": b"[" + b"a." * 5000 + b"a]",
        "toml inline": b"a = " + b"{a=" * 2000,
        "json digits": b'{"octaves": ' + b"9" * 5000 + b"}",
        "toml digits": b"octaves = " + b"9" * 5000,
        "json nan": b'{"tv": NaN}',
        "json inf": b'{"tv": Infinity}',
        "toml nan": b"tv = nan",
        "json big": b'{"tv": 1e400}',
        "json surrogate": b'{"end": "\\ud800"}',
        "json key": b'{"\\ud800\\u0000": 1}',
        "toml date": b"end = 1979-05-27",
        "toml list2": b"layers = ['a', 'b']",
        "json null": b"null",
        "json empty": b"",
        "toml binary": bytes(range(256)),
        "json key long": b'{"' + b"k" * 100_000 + b'": 1}',
        "json bool": b'{"octaves": true}',
        "json text": b'"text"',
        "json utf16": '{"octaves": 1}'.encode("utf-16"),
        "toml bom": b"\xef\xbb\xbfoctaves = 1",
        "json twice": b'{"tv":1,"tv":2}',
        "toml long": b"# " + b"x" * 2_000_000,
        "toml many": b"".join(b"k%d = 1\n" % n for n in range(3000)),
    }


def pictures_with_settings():
    """Pictures whose record is hostile."""
    texts = {
        "code": b"distort = 'python:os:getcwd'",
        "cluster": b"cluster = 'tcp://127.0.0.1:9'",
        "nested": b"a = " + b"[" * 9000,
        "nan": b"tv = nan",
        "device": b"model = '/dev/zero'",
        "digits": b"octaves = " + b"9" * 5000,
        "bytes": b"\xff\xfe\0",
        "output": b"gif = '/tmp/x.gif'",
    }
    return {
        name: png(8, 8, bytes(200), chunks=[(b"iTXt", b"dreamlib\0\0\0\0\0" + text)])
        for name, text in texts.items()
    }
