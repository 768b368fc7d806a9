"""The libraries that write formats have versions, and every module that writes with one is known."""

import ast
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
import zstandard

from assembler.errors import AssembleError
from assembler.image import libraries

PACKAGE = Path(libraries.__file__).parents[1]

OTHERS = frozenset(
    ["click", "jsonschema", "lz4", "pydantic", "PySquashfsImage", "pysequoia", "referencing", "requests", "rich",
     "urllib3", "yaml"]
)  # fmt: skip
"""What is imported and writes nothing: it reads, checks, fetches or shows."""
WRITERS: Mapping[str, set[str]] = {
    "cyclonedx": {"image/sbom.py"},
    # It reads, and what it finds are the licences of the SBOMs.
    "debian": {"debian/documents.py"},
    "license_expression": {"image/sbom.py"},
    "packageurl": {"image/sbom.py"},
    "pycdlib": {"formats/iso.py"},
    "spdx_tools": {"image/sbom.py"},
    # Those that compress; all others decompress.
    "zstandard": {"formats/qcow2.py", "image/contents.py", "initrd/compose.py", "layers/images.py"},
}
"""Modules of the assembler that write with a library."""


def test_they_are_those_that_are_installed() -> None:
    found = libraries.versions()
    assert tuple(found) == libraries.LIBRARIES
    assert found["zstandard"] == metadata.version("zstandard") == zstandard.__version__
    assert found["libzstd"] == ".".join(map(str, zstandard.ZSTD_VERSION))
    assert found["pycdlib"] == metadata.version("pycdlib")


def test_one_without_a_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "LIBRARIES", ("libzstd", "no-such-library"))
    libraries.versions.cache_clear()
    try:
        with pytest.raises(AssembleError, match="the version of the library no-such-library cannot be told"):
            libraries.versions()
    finally:
        monkeypatch.undo()
        libraries.versions.cache_clear()


def test_every_module_that_writes_with_a_library_is_known() -> None:
    """A new import is either of what writes nothing, or of what steps have to declare."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            for top in {name.partition(".")[0] for name in names} & {*WRITERS, *OTHERS}:
                if top != "zstandard" or "ZstdCompressor" in text:
                    found.setdefault(top, set()).add(path.relative_to(PACKAGE).as_posix())
    assert {name: files for name, files in found.items() if name in WRITERS} == WRITERS
    # Python's own compressors are not called: their bytes are the host's.
    compressor = re.compile(r"\b(?:(?:zlib|gzip|lzma|bz2)\.compress|compressobj|GzipFile|LZMACompressor)\b")
    assert [path.name for path in PACKAGE.rglob("*.py") if compressor.search(path.read_text())] == []


def test_differences_are_told_by_name() -> None:
    here = {"a": "1", "b": "2", "c": "3"}
    assert libraries.differences(here, here, "the lock") == {}
    assert libraries.differences({}, here, "the lock") == {}, "a lock that names none says nothing of them"
    assert libraries.differences({"a": "1", "b": "1", "d": "4"}, here, "the lock") == {
        "b": "b is 2 here, 1 in the lock",
        "c": "c is 3 here, not named in the lock",
        "d": "d is not used here, 4 in the lock",
    }


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"assembler": "1", "zstandard": "2"}, ""),
        ({}, "it does not say which assembler made it"),
        ({"assembler": "0.9", "zstandard": "2"}, "assembler is 1 here, 0.9 in the image"),
        ({"assembler": "1", "zstandard": "1"}, "zstandard is 2 here, 1 in the image"),
        ({"assembler": "1"}, "it does not name the version of zstandard that it was made with"),
    ],
)
def test_what_an_image_was_made_with(there: Mapping[str, str], said: str) -> None:
    assert libraries.others(there, {"assembler": "1", "zstandard": "2"}) == said


def test_lists_in_sentences() -> None:
    assert libraries.listed(["a"]) == "a"
    assert libraries.listed(["a", "b", "c"]) == "a, b and c"
