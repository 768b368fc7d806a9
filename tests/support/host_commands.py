"""Programs that tests call to check our work independently."""

import os
import shutil


def need(program: str, package: str) -> str:
    """The path of a program, as ``scripts/test`` provides it; fails the test that needs it when it is missing."""
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert found, f"this test needs {program}: run it with scripts/test, or install the Debian package {package}"
    return found
