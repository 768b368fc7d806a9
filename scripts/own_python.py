"""Imported first by every script here that is written in Python: has it go on in the project's own environment.

That is made when it is missing. Afterwards the project's packages can be imported, whatever directory one is in.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv/bin/python"
if Path(sys.prefix) != ROOT / ".venv":
    subprocess.run([ROOT / "scripts/setup", "dev"], check=True)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])  # noqa: S606  ourselves, where the dependencies are
sys.path.insert(0, str(ROOT))
