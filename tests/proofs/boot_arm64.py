"""Build the live ISO for arm64, start it with UEFI in QEMU and see that every unit of it runs.

    scripts/boot-arm64 [--recipe RECIPE.toml] [--out DIRECTORY] [--limit SECONDS]

Emulated, as on any machine that is not arm64, the boot takes some minutes; that is why the tests leave it out. With
--out a build that is there already is started. QEMU and firmware are those of the recipe's lock.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from assembler.cli import environment
from assembler.cli.main import call
from assembler.errors import AssembleError
from assembler.vm.finding import in_toolbox
from assembler.vm.machine import Machine
from assembler.vm.node import Built, built, hardware, keep_state
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import own_tools

QUESTIONS = ("uname -mr", "systemctl --failed --no-legend --plain", "cat /run/livecd/state", "systemd-analyze time")


def main() -> int:
    """Build, boot, ask; the exit status is 1 when a unit failed or the machine did not come up."""
    parser = arguments("boot-arm64", __doc__)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/livecd-arm64.toml")
    parser.add_argument("--out", type=Path, help="a directory with a build")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for each wait  [default: 1800]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assemble-boot-") as name:
        directory = Path(name)
        out = options.out or directory / "out"
        if options.out is None and call(["build", str(options.recipe), "--out", str(out)]):
            return 1
        try:
            return boot(built(out), directory, options.limit)
        except AssembleError as error:
            print(error, *error.details, sep="\n", file=sys.stderr)
            return 1


def boot(node: Built, directory: Path, limit: float, questions: Sequence[str] = QUESTIONS) -> int:
    """Start `node` with a blank state disk in `directory`, and ask it each of `questions`, a line for its shell.

    Each wait takes at most `limit` seconds. Returns the exit status: 0 when every unit runs and the last question is
    answered with status 0.
    """
    settings = environment.read()
    toolbox = own_tools(node.architecture.emulation.packages)
    state = directory / "var.qcow2"
    keep_state(state)
    machine = hardware(node, seed=node.seed, state=state, firmware="uefi", processors=settings.jobs, ssh_port=None)

    def echo(text: str) -> None:
        print(text, end="", flush=True)

    begun = time.monotonic()
    with Machine(in_toolbox(node.architecture, toolbox), machine, echo=echo) as running:
        running.expect(r"login: $", limit)
        prompt = time.monotonic() - begun
        running.login("root", "root", timeout=limit)
        status, overall = running.run("systemctl is-system-running --wait", limit)
        answers = [running.run(question, limit) for question in questions]
        running.shutdown(limit)
    print(f"\n\nlogin: after {prompt:.0f} s, the system is {overall.strip()}")
    for question, (_, answer) in zip(questions, answers, strict=True):
        print(f"$ {question}\n{answer.strip()}")
    return 0 if status == answers[-1][0] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
