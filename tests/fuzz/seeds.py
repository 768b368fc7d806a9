"""Where the inputs that are kept as files lie."""

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def kept(name: str) -> list[bytes]:
    """The files of one target, by name."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
