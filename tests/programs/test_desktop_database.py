"""mimeinfo.cache is what update-desktop-database writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.shell.streams import Refused
from tests.support.scripts import run
from tests.tree.disk import tree_of

PLACE = "/usr/share/applications"
HEAD = "[Desktop Entry]\n"
FILES = {
    "b.desktop": f"# a comment\n\n{HEAD}Name[de]=x\nMimeType=text/plain;image/png ;text/plain;;\nHidden=false\n",
    "A.desktop": f"{HEAD}MimeType = text/plain;Text/plain; text/x;example/x;misc/ultravox;x-any/thing;image/a=b\r\n",
    "kde/in/c.desktop": f"[Other]\nMimeType=text/other\n{HEAD}MimeType=text/plain;message/rfc822\n[Desktop Action x]\n",
    "d.desktop": f"{HEAD}MimeType=text/plain\nHidden=1 \n",
    "e.desktop": f"{HEAD}MimeType=text/first\nMimeType=zz-application/zz-winassoc-doc;zz-application/x\n",
    "f.desktop": f"{HEAD}Name=none\n",
    "g.desktop/": "", "h.desktop": "->none", "i.txt": "junk", "j.desktop": "->b.desktop",
}  # fmt: skip
REAL = """\
[MIME Cache]
image/png=b.desktop;j.desktop;
message/rfc822=kde-in-c.desktop;
misc/ultravox=A.desktop;
text/plain=A.desktop;b.desktop;j.desktop;kde-in-c.desktop;
x-any/thing=A.desktop;
zz-application/zz-winassoc-doc=e.desktop;
"""
"""What desktop-file-utils 0.26 (Debian 12) and 0.28 (Debian 13) write for them."""


def test_types_have_the_files_that_are_for_them() -> None:
    tree = tree_of({f"{PLACE}/{name}": text for name, text in FILES.items()})
    assert run("update-desktop-database -q\n", tree) == 0
    assert tree.read_text(f"{PLACE}/mimeinfo.cache") == REAL
    assert tree.at(f"{PLACE}/mimeinfo.cache").mode == 0o644


def test_directories_are_those_of_data_or_those_that_are_named() -> None:
    tree = tree_of(
        {f"/usr/local{PLACE[4:]}/": "", "/opt/x.desktop": f"{HEAD}MimeType=a/b;text/plain\n", "/opt/l": "->."}
    )
    with pytest.raises(Refused, match="within one another"):
        run("update-desktop-database -q /opt\n", tree)
    tree.remove("/opt/l")
    assert run("update-desktop-database -q\n", tree) == 0
    assert tree.read_text("/usr/local/share/applications/mimeinfo.cache") == "[MIME Cache]\n"
    assert run("update-desktop-database /none /opt\n", tree) == 0
    assert tree.read_text("/opt/mimeinfo.cache") == "[MIME Cache]\ntext/plain=x.desktop;\n"
    assert run("update-desktop-database -q /none\n", tree) == 1


@pytest.mark.parametrize(
    ("files", "command", "why"),
    [
        ({"x.desktop": "MimeType=text/plain\n"}, "-q", "unusual"),
        ({"x.desktop": f"{HEAD}junk\n"}, "-q", "unusual"),
        ({"x.desktop": f"{HEAD}Encoding=Legacy-Mixed\n"}, "-q", "unusual"),
        ({"x.desktop": f"{HEAD}MimeType=a\\;b\n"}, "-q", "escapes"),
        ({"x.desktop": f"{HEAD}Name=\udce4\n"}, "-q", "not UTF-8"),
        ({"a-b.desktop": HEAD, "a/b.desktop": HEAD}, "-q", "of one name"),
        ({"mimeinfo.cache/": ""}, "-q", "in the way"),
        ({}, "-q --version", "an option"),
        ({}, "2>/tmp/log", "a message"),
    ],
)
def test_what_is_refused(files: dict[str, str], command: str, why: str) -> None:
    content = {name: text.encode("utf-8", "surrogateescape") for name, text in files.items() if not name.endswith("/")}
    there = {f"{PLACE}/": "", "/tmp/": "", **{f"{PLACE}/{name}": content.get(name, "") for name in files}}
    with pytest.raises(Refused, match=why):
        run(f"update-desktop-database {command}\n", tree_of(there))


def test_directories_that_multiply_end_soon() -> None:
    links = {f"{PLACE}/{level}/{number}": f"->../{level + 1}" for level in range(8) for number in range(20)}
    with pytest.raises(Refused):
        run("update-desktop-database -q\n", tree_of({**links, f"{PLACE}/8/": ""}))


@given(st.binary(max_size=60))
def test_junk_is_refused_or_has_no_effect(junk: bytes) -> None:
    tree = tree_of({f"{PLACE}/x.desktop": HEAD.encode() + junk + b"\nMimeType=text/plain\n"})
    try:
        assert run("update-desktop-database -q\n", tree) == 0
    except Refused:
        return
    assert tree.read(f"{PLACE}/mimeinfo.cache").startswith(b"[MIME Cache]\n")
