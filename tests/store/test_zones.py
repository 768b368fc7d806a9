"""How far inside addresses are, however they are written."""

import pytest

from assembler.store.zones import Zone, resolve, zone_of, zone_of_host


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("151.101.2.132", Zone.WORLD),
        ("2a04:4e42::644", Zone.WORLD),
        ("10.0.0.1", Zone.SITE),
        ("172.16.0.1", Zone.SITE),
        ("172.31.255.255", Zone.SITE),
        ("172.32.0.1", Zone.WORLD),
        ("192.168.1.1", Zone.SITE),
        ("100.64.0.1", Zone.SITE),
        ("100.127.255.255", Zone.SITE),
        ("100.128.0.1", Zone.WORLD),
        ("198.18.0.1", Zone.SITE),
        ("fd12:3456::1", Zone.SITE),
        ("fec0::1", Zone.SITE),
        ("64:ff9b:1::1", Zone.SITE),
        ("127.0.0.1", Zone.HOST),
        ("127.255.255.254", Zone.HOST),
        ("0.0.0.0", Zone.HOST),  # noqa: S104  nothing is bound
        ("::1", Zone.HOST),
        ("::", Zone.HOST),
        ("169.254.169.254", Zone.LINK),
        ("fe80::1", Zone.LINK),
        ("fe80::1%lo", Zone.LINK),
        ("fd00:ec2::254", Zone.LINK),
        ("100.100.100.200", Zone.LINK),
        ("192.0.0.192", Zone.LINK),
        ("168.63.129.16", Zone.LINK),
        # embedded: mapped, compatible, NAT64, 6to4, Teredo
        ("::ffff:151.101.2.132", Zone.WORLD),
        ("::ffff:127.0.0.1", Zone.HOST),
        ("::ffff:10.0.0.1", Zone.SITE),
        ("::127.0.0.1", Zone.HOST),
        ("64:ff9b::a9fe:a9fe", Zone.LINK),
        ("64:ff9b::9765:284", Zone.WORLD),
        ("2002:a00:1::1", Zone.SITE),
        ("2001:0:7f00:1::", Zone.HOST),
    ],
)
def test_addresses(address: str, zone: Zone) -> None:
    assert zone_of(address) == zone


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="nobody"):
        zone_of("nobody.invalid")


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("ftp.debian.org", Zone.WORLD),
        ("10.0.0.1", Zone.SITE),
        ("10.1", Zone.SITE),
        ("2130706433", Zone.HOST),
        ("0x7f.1", Zone.HOST),
        ("0251.0376.0251.0376", Zone.LINK),
        ("::1", Zone.HOST),
        ("localhost", Zone.HOST),
        ("LOCALHOST.", Zone.HOST),
        ("x.localhost", Zone.HOST),
        ("metadata.google.internal", Zone.LINK),
        ("notlocalhost", Zone.WORLD),
        ("", Zone.WORLD),
        ("a" * 300, Zone.WORLD),
    ],
)
def test_hosts_as_they_are_written(host: str, zone: Zone) -> None:
    assert zone_of_host(host) == zone


def test_resolving_asks_nobody_for_an_address() -> None:
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert resolve("127.1", 80) == ["127.0.0.1"]
