"""File capabilities as bytes that setcap(8) of Debian 13 wrote."""

import pytest

from assembler.programs.capabilities import XATTR, CapabilityError, encode, setcap
from assembler.tree.staging import Tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cap_net_raw+ep", "0100000200200000000000000000000000000000"),
        ("cap_net_raw=ep", "0100000200200000000000000000000000000000"),
        ("cap_net_admin,cap_net_raw=p", "0000000200300000000000000000000000000000"),
        ("CAP_SETUID,cap_setgid+eip", "01000002c0000000c00000000000000000000000"),
        ("cap_dac_override,cap_bpf,cap_net_admin=ep", "0100000202100000000000008000000000000000"),
        ("cap_net_raw=eip cap_net_raw-i", "0100000200200000000000000000000000000000"),
        ("=", "0000000200000000000000000000000000000000"),
        ("all=p", "00000002ffffffff00000000ff01000000000000"),
    ],
)
def test_texts_and_their_bytes(text: str, value: str) -> None:
    assert encode(text).hex() == value


@pytest.mark.parametrize("text", ["cap_net_raw", "cap_nothing=ep", "net_raw+x", "+ep", "cap_net_raw+p cap_chown+ep"])
def test_bad_texts_are_errors(text: str) -> None:
    with pytest.raises(CapabilityError):
        encode(text)


def test_setcap_follows_links_and_can_take_away() -> None:
    tree = Tree()
    tree.write("/usr/bin/ping", b"", parents=True)
    tree.symlink("usr/bin", "/bin")
    setcap(tree, ["-q", "cap_net_raw+ep", "/bin/ping"])
    assert tree.at("/usr/bin/ping").xattrs[XATTR] == encode("cap_net_raw+ep")
    setcap(tree, ["-r", "/bin/ping"])
    assert tree.at("/usr/bin/ping").xattrs == {}
    for words in ([], ["cap_net_raw+ep"], ["cap_net_raw+ep", "/usr"]):
        with pytest.raises(CapabilityError):
            setcap(tree, words)
