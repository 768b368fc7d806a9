"""SECURITY.md names tests: they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_it_names_is_there() -> None:
    found = 0
    for line in (ROOT / "SECURITY.md").read_text("utf-8").splitlines():
        for part in line.split("; "):
            paths = re.findall(r"tests/[\w/]+(?:\.py|/)", part)
            names = re.findall(r"`(test_\w+)`", part)
            assert all((ROOT / path).exists() for path in paths), part
            text = "".join((ROOT / path).read_text("utf-8") for path in paths if path.endswith(".py"))
            missing = [name for name in names if f"def {name}(" not in text]
            assert not missing, part
            found += len(names)
    assert found > 30
