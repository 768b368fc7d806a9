"""Programs that tests call to check our work independently."""

import os
import shlex
import shutil


def need(program: str, package: str) -> str:
    """The path of a program, as ``scripts/test`` provides it; fails the test that needs it when it is missing."""
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert found, f"this test needs {program}: run it with scripts/test, or install the Debian package {package}"
    return found


def on_this_host(script: bytes) -> bytes:
    """A script for a node, which has its programs where nodes have them, with those of the tests."""
    return script.replace(b" PATH=/", b" PATH=" + shlex.quote(os.environ["PATH"]).encode() + b":/")
