"""Model folders for tests."""

TOML = 'mean = [1, 2.5, 3]\nend = "conv"\n'
PROTOTXT = 'layer { name: "data" type: "Input" top: "data" }\n'


def make(folder, toml=None, weights=(), files=("deploy.prototxt",), text=PROTOTXT):
    """Make a model folder with these files: empty weights, prototxts of one text."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).write_text(text)
    for file in weights:
        (folder / file).write_bytes(b"")
    if toml is not None:
        (folder / "model.toml").write_text(toml)
    return folder
