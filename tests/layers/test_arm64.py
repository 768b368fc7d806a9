"""The recipe for arm64 is composed on any machine: every maintainer script of its packages is vouched for."""

import json
import subprocess
import sys
from pathlib import Path

from assembler.cli import environment
from assembler.store.objects import sha256_of

REPOSITORY = Path(__file__).parents[2]


def test_the_root_file_system_is_composed_on_this_machine(tmp_path: Path) -> None:
    recipe = tmp_path / "tree.toml"
    base = REPOSITORY / "recipes/livecd-arm64.toml"
    recipe.write_text(f'extends = "{base}"\nname = "livecd-arm64"\nartifacts.formats = []\n')
    argv = [
        sys.executable,
        "-P",
        "-m",
        "assembler",
        str(recipe),
        "--only",
        "rootfs",
        "--out",
        str(tmp_path / "out"),
        "-q",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_bytes())
    assert manifest["architecture"] == "arm64"
    made = manifest["layers"]["rootfs"]["tree"]
    results = (environment.read().store / "derived/layer-rootfs.tree-1").glob("*/files/listing.txt")
    (listing, *_) = (path for path in results if sha256_of(path) == made["contents"]["listing.txt"])
    paths = {line.split(" ")[7] for line in listing.read_text("ascii").splitlines()}
    assert len(paths) == made["facts"]["paths"] > 10_000
    assert "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1" in paths
    assert not [path for path in paths if path.endswith(("ld-linux-x86-64.so.2", "/i386-linux-gnu"))]
