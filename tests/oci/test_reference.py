"""Names of container images."""

import dataclasses

import pytest

from assembler.oci.reference import ImageNameError, parse


@pytest.mark.parametrize(
    ("text", "full", "base"),
    [
        ("alpine", "docker.io/library/alpine:latest", "https://registry-1.docker.io/v2/library/alpine"),
        ("flannel/flannel:v1", "docker.io/flannel/flannel:v1", "https://registry-1.docker.io/v2/flannel/flannel"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10", "https://registry.k8s.io/v2/pause"),
        ("localhost/x", "localhost/x:latest", "https://localhost/v2/x"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "https://[::1]:5000/v2/x"),
        ("H.example/a__b/c-d.e_f:V_1", "H.example/a__b/c-d.e_f:V_1", "https://H.example/v2/a__b/c-d.e_f"),
        ("h:5000/a/b:1@sha256:" + "a" * 64, "h:5000/a/b@sha256:" + "a" * 64, "https://h:5000/v2/a/b"),
    ],
)
def test_names(text: str, full: str, base: str) -> None:
    reference = parse(text)
    assert str(reference) == full
    assert reference.base == base
    assert parse(full) == dataclasses.replace(reference, tag="" if reference.digest else reference.tag)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x:", "h.example/:1", "x@sha256:abc", "x@md5:" + "a" * 64),
        *(
            "h.example/../x:1",
            "h.example/x/../../y",
            "h.example//x",
            "h.example/x/",
            "h.example/x:1/../2",
            "h.example/x?y",
        ),
        *("h.example\\@evil.example/x", "user:secret@h.example/x", "h.example:/x", "h.example:port/x", "h.example/X"),
        *("h.example/x y", "h.example/x\n", "h.example /x", "h%2eexample/x", "-h.example/x", "h.example/x#y", "[::1/x"),
        *("h.example/" + "x" * 256, "h.example/x:" + "1" * 129, "h.example/" + "a-" * 120 + "!"),
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ImageNameError):
        parse(text)


def test_the_longest_names() -> None:
    for text in ("h.example/" + "x" * 255, "h.example/x:" + "1" * 128, "h.example:12345/x", "a" * 252 + ".e/x"):
        assert parse(text).repository in {"x", "x" * 255}
    for text in ("h.example:123456/x", "a" * 253 + ".e/x", "h.example/x@sha256:" + "a" * 63, "x@sha256:" + "a" * 65):
        with pytest.raises(ImageNameError):
            parse(text)
    with pytest.raises(ImageNameError) as caught:
        parse("X" * 300)
    assert caught.value.what == f"{'X' * 200} is not the name of an image"
    assert caught.value.hint == "as registry.example/name:tag"


def test_a_digest_makes_the_tag_superfluous() -> None:
    digest = "sha256:" + "a" * 64
    assert (parse(f"x@{digest}").tag, parse(f"x:1@{digest}").tag, parse("x").tag) == ("", "1", "latest")
    assert str(parse(f"x:1@{digest}")) == f"docker.io/library/x@{digest}"
