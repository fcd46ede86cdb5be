"""What the command makes of hostile pictures, models, texts and files of settings: a table.

    python -m tests.faults.hostile [--few] [--only WORD] [--show]

The same cases every time. A fault is a traceback, a refusal that is no paragraph, a picture without
anything in it, a hang or a crash; the command ends with 1 where there is one.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.faults import models, pictures, texts
from tests.faults.trial import DREAMT, FAULTS, REFUSED, attempt
from tests.nets import write_random_net

DREAM = ["--end", "conv1", "--iterations", "1", "--octaves", "1", "--seed", "1", "--quiet"]


def all_cases(model, few=False):
    """List the cases by kind.

    Parameters
    ----------
    model : Path
        A folder with a small network.
    few : bool
        Those that a quick look takes.
    """
    with_model = ["--model", str(model), *DREAM]
    return {
        "pictures": list(pictures.cases(with_model, 2 if few else 100)),
        "models": list(models.cases(DREAM, model, 5 if few else 700)),
        "flags and texts": list(texts.cases(with_model, few)),
        "configs": list(texts.configs(with_model, 3 if few else 200)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", action="store_true", help="a quick look")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--show", action="store_true", help="what each faulty case printed last")
    asked = parser.parse_args()
    import_all()
    print(f"{'':16}" + "".join(f"{kind:>10}" for kind in ("cases", DREAMT, REFUSED, *FAULTS)))
    faulty = []
    with tempfile.TemporaryDirectory() as folder:
        write_random_net(Path(folder))
        for kind, cases in all_cases(Path(folder), asked.few).items():
            begin, endings = time.monotonic(), Counter()
            for case in cases:
                if asked.only in case.name:
                    ending = attempt(case)
                    endings[ending.kind] += 1
                    if ending.kind in FAULTS:
                        faulty.append((case.name, ending))
            counts = (sum(endings.values()), *(endings[one] for one in (DREAMT, REFUSED, *FAULTS)))
            seconds = time.monotonic() - begin
            print(f"{kind:16}" + "".join(f"{count:10}" for count in counts) + f" {seconds:6.0f} s")
            sys.stdout.flush()
    for name, ending in faulty:
        last = ending.text.strip().splitlines()[-3:] if asked.show else []
        print(f"{ending.kind:10} {name[:100]}", *(line[:300] for line in last), sep="\n    ")
    return 1 if faulty else 0


def import_all():
    """Import what a dream does, so that the children need not, but compute nothing."""
    import dreamlib.ascent.direct
    import dreamlib.jobs.contact_sheet
    import dreamlib.jobs.frames
    import dreamlib.jobs.run
    import dreamlib.pycaffe
    import dreamlib.tiling.stepper  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
