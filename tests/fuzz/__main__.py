"""Give the readers changed inputs, for as long as you like, and see that each is read or refused with an explanation.

    scripts/fuzz [TARGET ...] [--seconds 600] [--seed 1] [--kept build/fuzz] [--sample FILE | --pack]

Without a TARGET all are run, one after another. An input may take 20 s and 1 GiB. Inputs that lead to new places in the
code are kept and changed further, also by later runs; samples of findings are kept beside them. --sample runs one input
and shows where it ends. --pack puts the small ones of what was kept into tests/fuzz/corpus, where each run begins. Exit
status 1 when there is a finding.
"""

import sys
import tempfile
import time
import traceback
from pathlib import Path

from assembler.errors import AssembleError
from tests.fuzz.harness import Report, as_child, limits, supervised
from tests.fuzz.seeds import keep_found
from tests.fuzz.targets import TARGETS
from tests.support.command import ROOT, arguments


def sample(name: str, file: Path) -> int:
    """Run one input without catching anything; returns the exit status."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, limits():
        try:
            TARGETS[name].run(file.read_bytes(), Path(directory))
            print("accepted")
        except AssembleError as error:
            print(f"refused: {str(error)!a}")
        except Exception:  # noqa: BLE001  it is shown
            traceback.print_exc()
            return 1
    print(f"{time.monotonic() - began:.1f} s")
    return 0


def run(name: str, seconds: float, seed: int, kept: Path) -> bool:
    """Fuzz one target and print what came of it; whether there is no finding."""
    command = [sys.executable, "-P", "-m", "tests.fuzz", "--child"]
    total = Report()
    directory = kept / name
    for report in supervised(
        name, seconds, seed=seed, corpus=directory / "corpus", findings=directory / "findings", command=command
    ):
        total.add(report)
    rate = total.inputs / max(total.processor, 1)
    print(f"{name}: {rate:.0f} inputs/s in {total.processor:.0f} s: {total}", flush=True)
    if total.findings:
        print(f"  samples are in {directory / 'findings'}", flush=True)
    return not total.findings


def main() -> int:
    """Returns the exit status."""
    if sys.argv[1:2] == ["--child"]:
        as_child(TARGETS[sys.argv[2]], sys.argv[2:])
        return 0
    parser = arguments("fuzz", __doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=600, help="of processor, each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=ROOT / "build/fuzz", help="directory for what is kept")
    parser.add_argument("--sample", type=Path, help="an input to run alone, for one TARGET")
    parser.add_argument("--pack", action="store_true", help="keep what was found with the tests")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if options.pack:
        for name in names:
            directory = options.kept / name / "corpus"
            if directory.is_dir():
                print(f"{name}: {keep_found(name, directory.iterdir())} inputs")
        return 0
    if options.sample:
        return sample(names[0], options.sample)
    return max([0 if run(name, options.seconds, options.seed, options.kept) else 1 for name in names])


if __name__ == "__main__":
    sys.exit(main())
