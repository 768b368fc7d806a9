"""What goes into a wheel and an sdist: the files that git has, and nothing else that lies in the checkout.

A lock, a recipe of one's own, an editor's copy or a module that is tried out is none of them. An sdist has no git, and
what is in it is all. The directories that come along with the package, at the top of a checkout, are inside it in a
wheel; see assembler/carried.py.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "assembler"
CARRIED = ("recipes/", "initramfs/", "NOTICE")
"""What a wheel has inside the package."""
_LEFT_OUT = (".ci/", ".github/", "tests/")
"""What an sdist has no use for: it is there to be built from."""


class Files(BuildHookInterface[Any]):
    """Names the files of each target, one by one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to `build_data`. Raises RuntimeError when git does not say what they are."""
        if version == "editable":
            return
        root = Path(self.root)
        for name in _files(root):
            if self.target_name == "sdist":
                if not name.startswith(_LEFT_OUT):
                    build_data["force_include"][str(root / name)] = name
            elif name.startswith(f"{PACKAGE}/"):
                build_data["force_include"][str(root / name)] = name
            elif name.startswith(CARRIED):
                build_data["force_include"][str(root / name)] = f"{PACKAGE}/{name}"


def _files(root: Path) -> list[str]:
    """The paths of all files of the project below `root`, sorted."""
    if not (root / ".git").exists():
        return sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and path.name != "PKG-INFO"
        )
    # Whoever owns the checkout: nothing of its configuration is run by listing files.
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "ls-files", "-z"]
    # Of this checkout, also when a hook of git's has us built.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"git cannot say which files belong to the project: {error}") from error
    return sorted(name for name in os.fsdecode(done.stdout).split("\0") if name)
