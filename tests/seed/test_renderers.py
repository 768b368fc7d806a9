"""What each renderer would drop is refused by name, with what does it instead."""

from dataclasses import replace

import pytest

from assembler.seed.image import Image
from tests.seed.told import told

NETPLAN = 'packages_add = ["netplan.io"] in [rootfs] does it all'

DROPPED = [
    ("version: 2\nvlans: {v5: {id: 5, link: e}}", "2:9 vlans.v5: the device would be missing"),
    ("version: 2\nbonds: {b: {interfaces: [e]}}", "2:9 bonds.b: the device would be missing"),
    ("version: 2\nwifis: {w: {dhcp4: true}}", "2:9 wifis.w: the device would be missing"),
    ("version: 1\nconfig: [{type: bridge, name: b, bridge_interfaces: [e], params: {}}]", "2:10 config[0]: the device"),
    ("version: 2\nethernets: {e: {wakeonlan: true}}", "2:17 ethernets.e.wakeonlan: this would be dropped"),
    ("version: 2\nethernets: {e: {macaddress: a}}", "2:17 ethernets.e.macaddress: this would be dropped"),
    ("version: 2\nethernets: {e: {link-local: []}}", "2:17 ethernets.e.link-local: this would be dropped"),
    ("version: 2\nethernets: {e: {dhcp-identifier: mac}}", "2:17 ethernets.e.dhcp-identifier: this would be dropped"),
    (
        "version: 2\nethernets: {e: {dhcp4: true, routing-policy: [{from: 10.0.0.0/8, table: 1}]}}",
        "2:30 ethernets.e.routing-policy: this would be dropped",
    ),
    (
        "version: 2\nethernets: {e: {dhcp6: true, dhcp6-overrides: {route-metric: 1}}}",
        "2:48 ethernets.e.dhcp6-overrides.route-metric: this would be dropped",
    ),
    (
        "version: 2\nethernets: {e: {match: {macaddress: a}, dhcp4: true, dhcp4-overrides: {use-dns: false}}}",
        "2:54 ethernets.e.dhcp4-overrides: this would be dropped without a word: cloud-init looks for them by the name",
    ),
    (
        "version: 2\nethernets: {e: {dhcp4: true, routes: [{to: 10.0.0.0/8, via: 10.0.0.1, table: 5}]}}",
        "2:71 ethernets.e.routes[0].table: this would be dropped",
    ),
    (
        "version: 2\nethernets: {e: {routes: [{to: 10.0.0.0/8, via: 10.0.0.1}]}}",
        "2:17 ethernets.e.routes: this would be dropped without a word: cloud-init sets routes with an address or DHCP",
    ),
    (
        "version: 2\nethernets: {e: {dhcp4: true, gateway4: 10.0.0.1}}",
        "2:30 ethernets.e.gateway4: this would be dropped without a word: cloud-init sets it with an address of its",
    ),
    (
        "version: 2\nethernets: {e: {dhcp4: true, nameservers: {search: [a]}}}",
        "2:44 ethernets.e.nameservers.search: this would be dropped without a word: cloud-init passes over nameservers",
    ),
    (
        "version: 1\nconfig: [{type: physical, name: e, subnets: [{type: dhcp, dns_nameservers: [10.0.0.1]}]}]",
        "2:59 config[0].subnets[0].dns_nameservers: this would be dropped without a word",
    ),
    (
        "version: 1\nconfig: [{type: physical, name: e, subnets: [{type: dhcp, control: manual}]}]",
        "2:59 config[0].subnets[0].control: this would be dropped without a word",
    ),
    (
        "version: 1\nconfig: [{type: physical, name: e}, {type: nameserver, address: a, interface: f}]",
        "2:68 config[1].interface: there is no such interface in config: cloud-init ends at it",
    ),
]
"""What networkd drops."""


@pytest.mark.parametrize(("text", "expected"), DROPPED)
def test_networkd(livecd: Image, text: str, expected: str) -> None:
    (line,) = told(livecd, network_config=f"{text}\n")
    assert line.startswith(f"nc:{expected}")
    below = "network:\n" + "".join(f"  {one}\n" for one in text.split("\n"))
    assert "network." in told(livecd, network_config=below)[0]


@pytest.mark.parametrize("text", [text for text, _ in DROPPED if text.startswith("version: 2")])
def test_netplan_gets_all_of_version_2(livecd: Image, text: str) -> None:
    netplan = replace(livecd, packages=livecd.packages | {"netplan.io"})
    assert told(netplan, network_config=f"{text}\n") == []


def test_the_way_out_is_named(livecd: Image) -> None:
    assert told(livecd, network_config="version: 2\nbridges: {b: {dhcp4: true}}\n") == [
        f"nc:2:11 bridges.b: the device would be missing: cloud-init has networkd make no bridges ({NETPLAN})"
    ]


def test_a_default_route_on_link_has_another_way_out(livecd: Image) -> None:
    route = "{to: 0.0.0.0/0, via: 198.51.100.1, on-link: true}"
    text = f"version: 2\nethernets: {{e: {{addresses: [203.0.113.7/32], routes: [{route}]}}}}\n"
    (line,) = told(livecd, network_config=text)
    assert "gateway4: 198.51.100.1 beside addresses sets such a default route" in line
    instead = "version: 2\nethernets: {e: {addresses: [203.0.113.7/32], gateway4: 198.51.100.1}}\n"
    assert told(livecd, network_config=instead) == []


def test_what_netplan_knows_and_cloud_init_does_not(livecd: Image) -> None:
    netplan = replace(livecd, packages=livecd.packages | {"netplan.io"})
    text = (
        "version: 2\nethernets: {e: {match: {name: 'en*'}, addresses: [{10.0.0.2/24: {label: a}}],"
        " routes: [{to: default, via: 10.0.0.1}]}}\ntunnels: {t: {mode: gre}}\n"
    )
    assert told(netplan, network_config=text) == []
    assert len(told(livecd, network_config=text)) == 4
    assert told(netplan, network_config="version: 2\nethernet: {}\n") == [
        "nc:2:1 ethernet: unknown key (did you mean ethernets?)"
    ]


def test_a_typo_is_no_lack_of_a_renderer(livecd: Image) -> None:
    assert told(livecd, network_config="version: 2\nethernets: {e: {dhpc4: true}}\n") == [
        "nc:2:17 ethernets.e.dhpc4: unknown key (did you mean dhcp4?)"
    ]


BOND = """version: 2
ethernets: {e: {dhcp4: false}, f: {wakeonlan: true}}
bonds: {b: {interfaces: [e, f], parameters: {mode: active-backup, mii-monitor-interval: 100}, addresses: [10.0.0.2/24]}}
vlans: {v: {id: 5, link: b, dhcp4: true}}
"""


def test_ifupdown_takes_a_package_for_each_kind(livecd: Image) -> None:
    ifupdown = replace(livecd, packages=livecd.packages | {"ifupdown"})
    assert [line.partition(": the")[0] for line in told(ifupdown, network_config=BOND)] == [
        "nc:3:9 bonds.b",
        "nc:4:9 vlans.v",
    ]
    whole = replace(ifupdown, packages=ifupdown.packages | {"ifenslave", "vlan"})
    assert told(whole, network_config=BOND) == []
    routes = BOND.replace("dhcp4: true", "dhcp4: true, routes: [{to: 10.0.0.0/8, via: 10.0.0.1}]")
    assert told(whole, network_config=routes) == []
    bare = replace(whole, packages=whole.packages - {"net-tools"})
    (line,) = told(bare, network_config=routes)
    assert "cloud-init sets them with route(8)" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 2\nethernets: {e: {optional: true}}", "2:17 ethernets.e.optional: this would be dropped"),
        (
            "version: 2\nethernets: {e: {dhcp4: true, dhcp4-overrides: {use-dns: false}}}",
            "2:48 ethernets.e.dhcp4-overrides.use-dns: this would be dropped",
        ),
        (
            "version: 2\nbonds: {b: {interfaces: [e], parameters: {all-slaves-active: true}}}",
            "2:43 bonds.b.parameters.all-slaves-active: cloud-init does not know this: cloud-init ends at it",
        ),
    ],
)
def test_what_ifupdown_does_not_get(livecd: Image, text: str, expected: str) -> None:
    ifupdown = replace(livecd, packages=livecd.packages | {"ifupdown", "ifenslave"})
    (line,) = told(ifupdown, network_config=f"{text}\n")
    assert line.startswith(f"nc:{expected}")


def test_a_configuration_that_prefers_renderers_is_not_judged(livecd: Image) -> None:
    assert replace(livecd, chooses=True).renderer is None
    assert told(replace(livecd, chooses=True), network_config="version: 2\nvlans: {v: {id: 5, link: e}}\n") == []


def test_the_order_of_renderers_is_that_of_cloud_init(livecd: Image) -> None:
    def renderer(*more: str) -> str | None:
        return replace(livecd, packages=livecd.packages | set(more)).renderer

    assert renderer() == "networkd"
    assert renderer("network-manager") == "network-manager"
    assert renderer("network-manager", "netplan.io") == "netplan"
    assert renderer("ifupdown", "netplan.io") == "ifupdown"
