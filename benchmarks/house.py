"""The shape of the house in figures: sizes, imports, docstrings, what a plain dream costs.

    python benchmarks/house.py [CHECKOUT] [--python PYTHON] [--list]

With ``--list`` the import arrows that run upward, the circles and the incomplete docstrings are
named. `tests/test_house.py` holds the first two at none.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Who may import whom: a module imports from its own floor or a lower one.
FLOORS = (
    ("cli", "flags", "runs", "commands", "__init__"),
    ("jobs",),
    ("cluster",),
    ("tiling",),
    ("dream",),
    ("ascent",),
    ("models",),
    ("pycaffe",),
)

#: Beside the floors: what each of them may import of the rest.
BESIDE = {
    "video": ("video", "imaging", "util", "errors"),
    "imaging": ("imaging", "util", "errors"),
    "util": ("util", "errors"),
    "errors": ("errors",),
    "settings": ("settings", "util", "errors"),
    "config": ("config", "settings", "imaging", "util", "errors"),
}

#: What the floors may import beside lower floors.
HELPERS = {"imaging", "util", "errors"}
#: Of settings and config, and of video.
READERS = {"cli", "flags", "runs", "commands", "__init__", "jobs"}


def modules_of(root, package):
    """Return {dotted name: path} of a package's modules, generated code left out."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if path.name == "caffe_pb2.py" or "migrations" in parts:
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(root, package):
    """Return {module: set of the modules of the package that it imports}, wherever it does so."""
    modules = modules_of(root, package)
    found = {}
    for name, path in modules.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = name.split(".")
                    keep = len(parts) - node.level + (path.name == "__init__.py")
                    base = ".".join([*parts[:keep], *filter(None, [node.module])])
                targets = [f"{base}.{alias.name}" for alias in node.names]
                targets = [one if one in modules else base for one in targets]
            else:
                continue
            found[name].update(one for one in targets if one in modules and one != name)
    return found


def floor_of(module):
    """Return the first part of a module's name below ``dreamlib``."""
    return (module.split(".") + ["__init__"])[1]


def upward_arrows(imports):
    """List the (importer, imported) of dreamlib that the floors forbid."""
    level = {name: number for number, names in enumerate(FLOORS) for name in names}
    found = []
    for module, targets in imports.items():
        own = floor_of(module)
        for target in sorted(targets):
            other = floor_of(target)
            if own in BESIDE:
                allowed = other in BESIDE[own]
            elif other in ("settings", "config", "video"):
                allowed = own in READERS
            elif own == "pycaffe":
                allowed = other in ("pycaffe", "util", "errors")
            else:
                allowed = other in HELPERS or level[own] <= level[other]
            if not allowed:
                found.append((module, target))
    return found


def circles(imports):
    """List the groups of modules that import each other, however far around."""
    order, low, stack, found = {}, {}, [], []

    def visit(module):
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in imports[module]:
            if target not in order:
                visit(target)
            if target in stack:
                low[module] = min(low[module], low[target])
        if low[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in order:
            visit(module)
    return found


def undocumented(root, package):
    """Judge the public functions that have parameters.

    Returns
    -------
    unnamed : list of str
        Those that neither name each parameter nor say whose they are.
    silent : list of str
        Those that return or yield something and have no section on it.
    count : int
        All.
    """
    unnamed, silent, count = [], [], 0
    for name, path in modules_of(root, package).items():
        for node in _public_functions(ast.parse(path.read_text(encoding="utf-8"))):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            wanted = [one.arg for one in given if one.arg not in ("self", "cls")]
            if not wanted or node.name.startswith("__"):
                continue
            count += 1
            text = ast.get_docstring(node) or ""
            named = re.search(r"Parameters\n-+\n(.*?)(\n\n\w+\n-+\n|\Z)", text, re.DOTALL)
            words = (
                set(re.findall(r"^\*{0,2}(\w[\w, *]*?)(?: :|$)", named[1], re.M)) if named else ()
            )
            words = {word.strip(" *") for one in words for word in one.split(",")}
            elsewhere = re.search(r"[Ss]ee `|as for `|are those of|those of `|`\w+.*'s", text)
            if not set(wanted) <= words and not elsewhere:
                unnamed.append(f"{name}.{node.name}")
            told = re.search(r"(Returns|Yields)\n-+\n", text) or (elsewhere and not named)
            if _gives(node) and not told:
                silent.append(f"{name}.{node.name}")
    return unnamed, silent, count


def _gives(function):
    """Whether a function returns or yields something; functions inside it are not looked into."""
    nodes = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if isinstance(node, ast.Return) and node.value is not None:
            return True
        nodes += ast.iter_child_nodes(node)
    return False


def _public_functions(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            # A method without a text of its own has that of the base, or of the class named.
            inherits = node.bases or "methods are `" in (ast.get_docstring(node) or "")
            yield from (
                one
                for one in node.body
                if isinstance(one, ast.FunctionDef)
                and not one.name.startswith("_")
                and not (inherits and ast.get_docstring(one) is None)
            )


def lines_of(paths):
    """Count the lines of files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


#: A plain dream; prints modules imported, Settings checked, prototxts parsed.
PLAIN = """
import sys, tempfile
import dreamlib.cli as cli
from dreamlib.settings import Settings
made = []
check = Settings.__init__
Settings.__init__ = lambda self, **values: made.append(1) or check(self, **values)
from google.protobuf import text_format
parsed = []
for name in ("Parse", "Merge"):
    def counted(text, message, *args, _real=getattr(text_format, name), **kwargs):
        if not parsed or parsed[-1] != "inner":
            parsed.append(name)
        parsed.append("inner")
        try:
            return _real(text, message, *args, **kwargs)
        finally:
            parsed.pop()
    setattr(text_format, name, counted)
with tempfile.TemporaryDirectory() as folder:
    status = cli.main(["noise:64x64", folder + "/out.png", "--octaves", "1", "--iterations", "1",
                       "--quiet", "--engine", "torch", "--model", sys.argv[1], "--seed", "1"])
assert status == 0
ours = [name for name in sys.modules if name.split(".")[0] == "dreamlib"]
print(len(ours), len(made), len(parsed))
"""


def plain_dream(root, python):
    """Return the modules, Settings and parsed prototxts of a plain dream, and its seconds."""
    model = str(root / "models/efficientnet_lite0")
    done = subprocess.run(
        [python, "-c", PLAIN, model], cwd=root, capture_output=True, text=True, check=True
    )
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run(
                [python, "dream.py", "noise:64x64", f"{folder}/out.png", "--octaves", "1",
                 "--iterations", "1", "--quiet", "--model", model], cwd=root, check=True,
            )  # fmt: skip
            seconds.append(time.perf_counter() - begin)
    return [*map(int, done.stdout.split()), statistics.median(seconds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", nargs="?", default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--python", help="by default the checkout's own .venv")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    root = Path(options.checkout).resolve()
    python = options.python or str(root / ".venv/bin/python")
    imports = {package: imports_of(root, package) for package in ("dreamlib", "studio")}
    upward = upward_arrows(imports["dreamlib"]) if (root / "dreamlib/jobs").is_dir() else None
    rings = {package: circles(found) for package, found in imports.items()}
    unnamed, silent, functions = undocumented(root, "dreamlib")
    modules, settings, prototxts, seconds = plain_dream(root, python)
    for what, figure in (
        ("lines of dreamlib, generated code left out", lines_of(imported_paths(root))),
        ("lines of tests", lines_of((root / "tests").rglob("*.py"))),
        ("modules of dreamlib", len(imports["dreamlib"])),
        ("import arrows", sum(map(len, imports["dreamlib"].values()))),
        ("arrows that run upward", "-" if upward is None else len(upward)),
        ("circles in dreamlib and studio", f"{len(rings['dreamlib'])}, {len(rings['studio'])}"),
        ("modules imported by a plain dream", modules),
        ("Settings made by it", settings),
        ("prototxts parsed by it", prototxts),
        ("seconds of a one-step 64 x 64 command", f"{seconds:.2f}"),
        ("public functions whose parameters are named",
         f"{functions - len(unnamed)} of {functions}, {1 - len(unnamed) / functions:.0%}"),
        ("and with a section on what they return",
         f"{functions - len({*unnamed, *silent})} of {functions}"),
    ):  # fmt: skip
        print(f"{what:45} {figure}")
    if options.list:
        for line in [*(upward or []), *rings["dreamlib"], *rings["studio"], *unnamed, *silent]:
            print(" ", line)


def imported_paths(root):
    """List the files of dreamlib that are written by hand."""
    return modules_of(root, "dreamlib").values()


if __name__ == "__main__":
    sys.exit(main())
