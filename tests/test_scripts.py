"""What scripts/ starts is there, whoever names it."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.command import ROOT

SCRIPTS = ROOT / "scripts"
STARTS = re.compile(r'^exec "\$\(dirname "\$0"\)/module" ([\w.]+) "\$@"$', re.MULTILINE)
STARTED = {
    path.name: found[1]
    for path in sorted(SCRIPTS.iterdir())
    if path.is_file() and (found := STARTS.search(path.read_text("utf-8")))
}


def test_all_are_shell_that_anybody_may_run() -> None:
    others = {path.name for path in SCRIPTS.iterdir() if path.is_file() and path.suffix != ".py"}
    assert [name for name in others if not (SCRIPTS / name).read_text("utf-8").startswith("#!/bin/sh\n")] == []
    assert [name for name in others if not os.access(SCRIPTS / name, os.X_OK)] == []
    assert {"oracle", "bench", "fuzz", "kernel"} <= STARTED.keys() <= others


@pytest.mark.parametrize(("script", "module"), STARTED.items())
def test_the_module_that_one_starts_is_a_program(script: str, module: str) -> None:
    found = find_spec(module)
    assert found is not None
    if found.submodule_search_locations is not None:
        found = find_spec(f"{module}.__main__")
    assert found is not None
    assert found.origin is not None
    text = Path(found.origin).read_text("utf-8")
    assert '\nif __name__ == "__main__":\n' in text
    # Help and complaints call it by the name that people know.
    assert f'arguments("{script}", __doc__)' in text or "arguments(" not in text


def test_texts_name_scripts_that_are_there() -> None:
    texts = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md"), *SCRIPTS.iterdir()]
    texts += [*(ROOT / ".ci").iterdir(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "assembler").rglob("*.py")]
    named = {
        (path.name, name)
        for path in texts
        if path.is_file() and path.parent.name != "kernel"  # where Linux has scripts of its own
        for name in re.findall(r"(?<![\w/.])scripts/([\w-]+(?:\.\w+)?)", path.read_text("utf-8"))
    }
    assert len({name for _, name in named}) > 15
    assert sorted((path, name) for path, name in named if not (SCRIPTS / name).exists()) == []
