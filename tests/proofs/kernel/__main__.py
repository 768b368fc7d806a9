"""The slow proofs of compiled kernels; the tests compile a tiny one.

    scripts/kernel build        recipes/livecd-vanilla.toml, into build/kernel
    scripts/kernel boot         that ISO starts with BIOS and UEFI, without a failed unit; shows the time until login:
    scripts/kernel validate     kubeadm's own check of a kernel finds nothing wrong with its configuration (root, Go)
    scripts/kernel reproduce    compiles it once more, elsewhere, with one job and without ccache: the same bytes
    scripts/kernel arm64        compiles that of recipes/livecd-vanilla-arm64.toml; its ISO boots without a failed unit
    scripts/kernel full         the disk becomes full in the midst of the tests' tiny kernel: nothing stays (root)
    scripts/kernel modules      packages of DKMS compiled twice to the same bytes, and loaded on a node
    scripts/kernel elsewhere    compiles the tests' tiny kernel here and by an ordinary user in a chroot with another
                                release of Debian, for amd64 and arm64: the same bytes (root, debootstrap)
    scripts/kernel elsewhere --recipe   the same, with what `build` has built instead of the tiny kernel

Each takes a quarter of an hour of processor time or more.
"""

import filecmp
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from assembler.architecture import ARCHITECTURES
from tests.proofs.kernel import elsewhere
from tests.support.command import ROOT, arguments

OUT = ROOT / "build/kernel"
RECIPE = "recipes/livecd-vanilla.toml"


def main() -> int:
    """Do the proof that the argument names; returns the exit status."""
    proofs = {each.__name__: each for each in (build, boot, validate, reproduce, arm64, full, modules)}
    parser = arguments("kernel", __doc__)
    parser.add_argument("proof", choices=(*proofs, "elsewhere"))
    parser.add_argument("--release", default="sid", help="elsewhere: what is in the chroot  [default: sid]")
    parser.add_argument(
        "--for",
        dest="targets",
        nargs="+",
        choices=ARCHITECTURES,
        default=[*ARCHITECTURES],
        help="elsewhere: the architectures  [default: all]",
    )
    parser.add_argument("--recipe", action="store_true", help=f"elsewhere: build {RECIPE}")
    parser.add_argument("--work", type=Path, help="elsewhere: where the chroot is made")
    options = parser.parse_args()
    name = options.proof
    try:
        if name != "elsewhere":
            proofs[name]()
        elif options.recipe:
            if not (OUT / "node.iso").exists():
                build()
            return 0 if elsewhere.build(options.release, RECIPE, OUT, options.work) else 1
        else:
            return 0 if elsewhere.compare(options.release, options.targets, options.work) else 1
    except subprocess.CalledProcessError as error:
        print(f"kernel: {name} failed with status {error.returncode}", file=sys.stderr)
        return 1
    return 0


def build() -> None:
    """Build the live ISO with the kernel."""
    _module("assembler", RECIPE, "--out", str(OUT))


def boot() -> None:
    """Have the tests of boots start it."""
    if not (OUT / "node.iso").exists():
        build()
    _module(
        *("pytest", "-m", "boot", "--durations=0", "tests/boot/test_firmware.py", "tests/boot/test_services.py"),
        *("-k", "not secure"),  # nobody signed it for Secure Boot
        PATH=_with_test_tools(),
        ASSEMBLE_TEST_OUT=str(OUT),
    )


def validate() -> None:
    """Ask kubeadm's check, where it sees our configuration and nothing else, so that it does not judge the host's."""
    if not (OUT / "config").exists():
        build()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for directory in ("proc", "sys/fs/cgroup"):
            (root / directory).mkdir(parents=True)
        (root / "proc/config.gz").write_bytes(gzip.compress((OUT / "config").read_bytes()))
        (root / "proc/mounts").write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
        command = ["go", "build", "-trimpath", "-o", str(root / "validator"), "."]
        validator = Path(__file__).with_name("validator")
        subprocess.run(command, cwd=validator, env=os.environ | {"CGO_ENABLED": "0"}, check=True)
        subprocess.run(["chroot", name, "/validator", "kernel"], check=True)


def reproduce() -> None:
    """Compile again where nothing is known of the first time, and compare."""
    if not (OUT / "vmlinuz").exists():
        build()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        programs = _programs(work / "bin")
        store, out = work / "somewhere/else", work / "out"
        options = ["--store", str(store), "--jobs", "1", "--out", str(out)]
        _module("assembler", RECIPE, *options, PATH=str(programs))
        for file in ("vmlinuz", "config", "System.map"):
            if not filecmp.cmp(out / file, OUT / file, shallow=False):
                sys.exit(f"kernel: {file} has other bytes")
    print("the same bytes")


def _programs(directory: Path) -> Path:
    """A directory for PATH without ccache, which would not compile anything again, and without what compiling does not
    reach.
    """
    directory.mkdir()
    for place in map(Path, os.get_exec_path()):
        for program in place.iterdir() if place.is_dir() else ():
            target = directory / program.name
            personal = Path(os.path.realpath(program)).is_relative_to(Path.home())
            if program.name != "ccache" and not personal and not target.is_symlink():
                target.symlink_to(program)
    return directory


def arm64() -> None:
    """Build the live ISO for arm64, and boot it."""
    out = f"{OUT}-arm64"
    _module("assembler", "recipes/livecd-vanilla-arm64.toml", "--out", out)
    _module("tests.proofs.boot_arm64", "--out", out)


def full() -> None:
    """Compile on file systems with too little room: for the configuration, and for what is compiled."""
    mounted = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
    for size in ("4m", "24m"):
        with tempfile.TemporaryDirectory() as name:
            proof = [sys.executable, "-P", "-m", "tests.proofs.kernel.full", name]
            shell = ["unshare", "--mount", "sh", "-c", mounted, "sh", size, name, *proof]
            subprocess.run(shell, cwd=ROOT, check=True)


def modules() -> None:
    """Build images with modules from outside, and boot one."""
    _module("tests.proofs.kernel.modules", f"{OUT}-modules", PATH=_with_test_tools())


def _with_test_tools() -> str:
    """PATH with the programs of the tests first."""
    _module("tests.support.bin", "build/tests/bin")
    return f"{ROOT / 'build/tests/bin'}:{os.environ['PATH']}"


def _module(name: str, *words: str, **variables: str) -> None:
    """Run a module of this checkout in its directory. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-P", "-m", name, *words], cwd=ROOT, env=os.environ | variables, check=True)


if __name__ == "__main__":
    sys.exit(main())
