"""Lists of packages that people publish for building nodes, as profiles of one recipe: each is built and booted.

    scripts/lists [PROFILE ...] [--out DIRECTORY]

The recipe is tests/proofs/lists.toml. What is built already in the directory is only booted. Emulated, a boot takes
some minutes.
"""

import sys
import tempfile
import tomllib
from pathlib import Path

from assembler.cli.main import call
from assembler.vm.node import built
from tests.proofs.boot_arm64 import QUESTIONS, boot
from tests.support.command import ROOT, arguments

RECIPE = ROOT / "tests/proofs/lists.toml"
ASKED = (*QUESTIONS, "journalctl -b -p 3 -o cat --no-pager | tail -n 20")


def main() -> int:
    """Build and boot; returns the exit status, 1 when a profile was not built or a unit of it failed."""
    known = list(tomllib.loads(RECIPE.read_text())["profile"])
    parser = arguments("lists", __doc__)
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", default=known, help=f"of {', '.join(known)}")
    parser.add_argument("--out", type=Path, default=ROOT / "build/lists", help="a directory for what is built")
    parser.add_argument("--limit", type=float, default=900, help="seconds for each wait  [default: 900]")
    parser.add_argument("--only-build", action="store_true", help="start nothing")
    options = parser.parse_args()
    failed: list[str] = []
    for profile in options.profiles:
        print(f"\n== {profile}", flush=True)
        out = options.out / profile
        if not (out / "node.iso").exists() and call(["build", str(RECIPE), "--profile", profile, "--out", str(out)]):
            failed.append(profile)
        elif not options.only_build:
            with tempfile.TemporaryDirectory(prefix="assemble-lists-") as name:
                if boot(built(out), Path(name), options.limit, ASKED):
                    failed.append(profile)
    done = "are built" if options.only_build else "run without a failed unit"
    print(f"\n{len(options.profiles) - len(failed)} of {len(options.profiles)} profiles {done}", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
