"""The real debconf, with a database of its own."""

import os
import re
import subprocess
from pathlib import Path

from tests.support.host_commands import need


class Debconf:
    """Its programs, and a database in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        stanzas = [
            f"Name: {name}\nDriver: File\nFilename: {directory}/{name}.dat\n" for name in ("configdb", "templatedb")
        ]
        (directory / "rc").write_text("\n".join(["Config: configdb\nTemplates: templatedb\n", *stanzas]))
        self.environment = {
            "PATH": os.environ["PATH"],
            "DEBCONF_SYSTEMRC": str(directory / "rc"),
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }

    def __call__(self, program: str, *arguments: str, text: bytes = b"") -> tuple[str, str, int]:
        """Output, errors and exit status of one of debconf's programs."""
        done = subprocess.run(
            [need(program, "debconf"), *arguments], input=text, env=self.environment, capture_output=True, check=False
        )
        return done.stdout.decode(), done.stderr.decode(), done.returncode

    def ask(self, *commands: str) -> list[str]:
        """Its answers to commands of debconf-devel(7), without their status 0, or 1 for text with escapes."""
        output, said, _ = self("debconf-communicate", text="\n".join(["CAPB escape", *commands, ""]).encode())
        lines = output.split("\n")[1:-1]
        assert len(lines) == len(commands), said
        unescape = {"\\n": "\n", "\\\\": "\\"}
        return [re.sub(r"\\[n\\]", lambda found: unescape[found[0]], line[2:]) for line in lines if line[0] in "01"]
