"""Damaged work folders: what is resumed is what was not damaged, or it is refused in words.

    python -m tests.faults.damage [--tries 400] [--only NAME] [--seed 0]

A dream is killed in its middle; one of the files that it left is cut, changed, taken away or
replaced by something else; then it is resumed. The files must be the same bits, or the exit code 2
and the error in words. Anything else is a fault, which ends with exit code 1.
"""

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch

from dreamlib import cli
from tests.faults.process import contents, run
from tests.faults.trials import DREAMS, Trials, prepare

#: Seconds after which a resumed dream counts as one that hangs.
LIMIT = 30


def _cut(path, chance):
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size + 1)])


def _grow(path, chance):
    with path.open("ab") as file:
        file.write(bytes(chance.randrange(1, 5000)))


def _flip(path, chance):
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 20)) if data else 0):
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def _nest(path, chance):
    path.write_text(chance.choice("[{") * 100_000)


def _remove(path, chance):
    path.unlink()


def _folder(path, chance):
    path.unlink()
    path.mkdir()


def _pipe(path, chance):
    path.unlink()
    os.mkfifo(path)


def _link(path, chance):
    path.unlink()
    path.symlink_to(chance.choice((path.name, "/dev/zero", "/dev/null", "nowhere", "../sky.png")))


def _swap(path, chance):
    other = chance.choice(sorted(one for one in path.parent.iterdir() if one.is_file()))
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def _give_away(path, chance):
    os.chown(path, 54321, 54321)


DAMAGES = [_cut, _cut, _flip, _flip, _flip, _grow, _nest, _remove, _folder, _pipe, _link, _swap,
           _give_away]  # fmt: skip


class Damages(Trials):
    """Damages of what one dream leaves."""

    def damage(self, die_at, chance):
        """Kill the dream, damage what it left, and resume it; say what became of it.

        Returns
        -------
        (str, str)
            ``identical``, ``refused`` or ``FAULT``; and words on it.
        """
        with self.place() as place:
            run(self.command, place, die_at)
            left = [
                path for folder in ("work", "film", "out.mp4.work")
                for path in sorted((place / folder).rglob("*")) if path.is_file()
            ]  # fmt: skip
            if not left:
                return "identical", "it had left nothing"
            path, kind = chance.choice(left), chance.choice(DAMAGES)
            what = f"{kind.__name__[1:]} of {path.relative_to(place)}"
            kind(path, chance)
            code, said, _ = run(self.resume, place, limit=LIMIT)
            if code == 2 and "Traceback" not in said and len(said) < 2000:
                return "refused", f"{what}: {said}"
            if code:
                return "FAULT", f"{what}: exit code {code}: {said}"
            same = contents(place, self.compared) == self.expected
            return ("identical", what) if same else ("FAULT", f"{what}: the files differ")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=400, help="of all dreams together")
    parser.add_argument("--only", choices=list(DREAMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="say how each was refused")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    assert cli  # imported, and with it all that a forked process needs
    chance, faults = random.Random(options.seed), 0
    names = [options.only] if options.only else ["tiles", "spiral", "anchored", "film", "clip"]
    print("| damaged | identical | refused | FAULT |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        prepare(source)
        for name in names:
            damages, results = Damages(source, name), Counter()
            for _ in range(-(-options.tries // len(names))):
                die_at = chance.randint(damages.changes // 4, damages.changes)
                result, words = damages.damage(die_at, chance)
                results[result] += 1
                if result == "FAULT" or options.verbose:
                    print(f"{name}, change {die_at}: {result}: {words}", file=sys.stderr,
                          flush=True)  # fmt: skip
            faults += results["FAULT"]
            columns = [str(results[result]) for result in ("identical", "refused", "FAULT")]
            print(f"| {name} | {' | '.join(columns)} |", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
