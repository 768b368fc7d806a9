"""Whatever a server or a recipe says, reading it gives a value or an error of a few words, and never anything else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.oci.reference import ImageNameError, parse
from assembler.oci.registry import RegistryError, parse_manifest
from assembler.store.addresses import printable, same_server
from assembler.store.token_servers import may_have_login
from assembler.store.zones import Zone, zone_of_host

DIGEST = "sha256:" + "5" * 64
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just(DIGEST), st.just("x/y")
)
keys = st.sampled_from(["digest", "size", "mediaType", "platform", "layers", "config", "manifests", "x"])
documents: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=20
)
addresses = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda scheme, host, rest: f"{scheme}//{host}{rest}",
        st.sampled_from(["http:", "https:", "HTTPS:", "", "file:"]),
        st.sampled_from(
            ["r.example", "r.example:1", "r.example:99999", "[::1]", "[", "a@r.example", "r.example\\@b", ""]
        ),
        st.text(alphabet="/?#@:.\\ \n\x00é%", max_size=8),
    ),
)


@given(document=documents)
def test_manifests(document: object) -> None:
    with suppress(RegistryError):
        found = parse_manifest(json.dumps(document).encode(), "x")
        assert all(len(blob.digest) == 64 and 0 <= blob.size <= 16 << 30 for blob in found.blobs)


@given(data=st.binary(max_size=200))
def test_bytes_as_manifests(data: bytes) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_manifest(data, "x")
    assert len(str(caught.value)) < 400


@given(text=st.text(max_size=60) | st.from_regex(r"[a-z.]{1,8}(:[0-9]{1,3})?/[a-z/:@._-]{1,20}", fullmatch=True))
def test_names_of_images(text: str) -> None:
    with suppress(ImageNameError):
        reference = parse(text)
        assert parse(str(reference)).base == reference.base
        assert reference.base.isascii()
        assert not set(reference.base) & set(" \\@?#%")
        assert "/../" not in f"{reference.base}/"


@given(registry=addresses, realm=addresses)
def test_token_servers(registry: str, realm: str) -> None:
    if may_have_login(registry, realm, {}):
        assert realm.lower().startswith(("http:", "https:"))
        assert not (registry.lower().startswith("https:") and realm.lower().startswith("http:"))


@given(text=addresses)
def test_addresses(text: str) -> None:
    assert "@" not in printable(text).partition("//")[2].partition("/")[0]
    assert zone_of_host(text) in Zone


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a/x", "http://a:80/y", True),
        ("https://a/x", "https://A:443/y", True),
        ("http://a/x", "https://a/x", True),
        ("http://a:8080/x", "https://a/x", False),
        ("http://a/x", "https://a:8443/x", False),
        ("https://a/x", "https://a:8443/x", False),
        ("https://a/x", "https://b/x", False),
        ("https://a/x", "https://a.b/x", False),
        ("https://a/x", "https://b.a/x", False),
    ],
)
def test_what_one_server_is(one: str, other: str, same: bool) -> None:  # noqa: FBT001  a table
    assert same_server(one, other) is same
