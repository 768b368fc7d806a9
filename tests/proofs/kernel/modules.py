"""Modules from outside the kernel, compiled twice: the same image, and a node that loads them.

    python -P -m tests.proofs.kernel.modules OUT [PACKAGE ...]

`scripts/kernel modules` calls it. All modules that they make are signed and loaded.
"""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

from assembler.cli.main import call
from assembler.vm.node import built
from tests.proofs.boot_arm64 import QUESTIONS, boot
from tests.support.command import ROOT, arguments

PACKAGES = ("vpoll-dkms", "jool-dkms", "zfs-dkms")
"""A small one, one that makes several, and a large one, of the component contrib."""
RECIPE = """\
extends = "{base}"
name = "modules"

[args]
MODULES_KEY = ""

[debian]
sources = '''
Types: deb
Suites: trixie trixie-updates
Components: main contrib

Types: deb
Suites: trixie-security
Components: main
'''

[kernel]
modules_key = "${{MODULES_KEY}}"
modules = [{modules}]
"""
LOADED = """\
(cd /usr/lib/modules/$(uname -r)/updates/dkms && for each in *.ko; do
modprobe "${each%.ko}" && echo "$each: $(modinfo -F signer "$PWD/$each")" || exit; done)
""".replace("\n", " ")
ASKED = (*QUESTIONS, "dmesg --level=warn,err | grep -i -e module -e taint", LOADED)


def main() -> int:
    """Build twice, compare, boot; returns the exit status."""
    parser = arguments("modules", __doc__)
    parser.add_argument("out", type=Path, help="a directory for what is built first")
    parser.add_argument("packages", nargs="*", default=PACKAGES, help=f"of DKMS  [default: {' '.join(PACKAGES)}]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assemble-modules-") as name:
        work = Path(name)
        wanted = ", ".join(f'{{ package = "{package}" }}' for package in options.packages)
        recipe = work / "modules.toml"
        recipe.write_text(RECIPE.format(base=ROOT / "recipes/livecd.toml", modules=wanted))
        build = ["build", str(recipe), "--arg-file", f"MODULES_KEY={_key(work)}"]
        again = work / "again"
        for words in (
            ["--out", str(options.out)],
            ["--out", str(again), "--store", str(work / "store"), "--jobs", "1"],
        ):
            status = call([*build, *words])
            if status:
                return status
        if not filecmp.cmp(options.out / "node.iso", again / "node.iso", shallow=False):
            print("modules: the second image has other bytes", file=sys.stderr)
            return 1
        print("the same bytes")
        return boot(built(options.out), work, 600, ASKED)


def _key(directory: Path) -> Path:
    """A new key with its certificate, in a file of `directory`."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "9", "-subj", "/CN=Modules of a proof"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.write_text(key.read_text() + certificate.read_text())
    return key


if __name__ == "__main__":
    sys.exit(main())
