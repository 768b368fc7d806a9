"""A file is about one thing, and short enough to be read at once."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 500
"""Lines."""


def is_python(path: Path) -> bool:
    if not path.is_file() or path.suffix not in {"", ".py"}:
        return False
    return path.suffix == ".py" or "python" in path.read_text(errors="replace").partition("\n")[0]


def test_no_python_file_is_long() -> None:
    rooms = [ROOT.glob("*"), *((ROOT / room).rglob("*") for room in ("assembler", "scripts", "tests"))]
    files = [path for room in rooms for path in room if is_python(path)]
    assert Path(__file__) in files
    lines = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in files}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}
