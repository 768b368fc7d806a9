"""Programs in perl that scripts call do what the real ones did, as scripts/in-perl recorded it."""

import json
from collections import Counter

import pytest

from assembler.shell.streams import Refused
from tests.proofs.in_perl import RECORDED, evaluated

CASES = [json.loads(line) for line in RECORDED.read_text().splitlines()]
_DIRECTORIES = {
    "/var/lib/emacsen-common/state/package/installed/": "",
    "/var/lib/emacsen-common/state/flavor/installed/": "",
    "/usr/lib/emacsen-common/packages/install/": "",
    "/usr/lib/emacsen-common/packages/compat/": "",
}


def test_all_are_as_recorded() -> None:
    counts: Counter[str] = Counter()
    for files, command, *expected in CASES:
        assert evaluated(files, command) == tuple(expected), command
        counts[command.split(" ")[0]] += 1
    assert len(counts) == 9
    # dnsdomainname is hostname -d.
    assert min(counts.values()) >= counts.pop("dnsdomainname") > 0
    assert min(counts.values()) > 10


def test_the_domain_of_the_machine() -> None:
    files = {"/etc/nsswitch.conf": "hosts: files dns\n", "/etc/hosts": "127.0.0.1 localhost\n"}
    assert evaluated(files, "dnsdomainname")[:2] == evaluated(files, "hostname -d")[:2] == (0, "")
    del files["/etc/hosts"]
    assert evaluated(files, "dnsdomainname")[:2] == evaluated(files, "hostname -d")[:2] == (1, "")
    with pytest.raises(Refused):
        evaluated(files, "dnsdomainname -v")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"/etc/inetd.conf": "dict a\ndict b\n"}, "update-inetd --remove dict"),
        ({"/etc/inetd.conf": "dict a\n"}, "update-inetd --add 'dict b'"),
        ({"/etc/inetd.conf": "dict a\n", "/run/inetd.pid": "1"}, "update-inetd --remove dict"),
        ({"/etc/inetd.conf": "dict a\n"}, "update-inetd --remove '(?:dict)'"),
        ({"/etc/inetd.conf/": ""}, "update-inetd --remove dict"),
        ({}, "update-inetd --add"),
        ({}, "a2query -M"),
        (
            {"/etc/apache2/mods-enabled/mpm_event.load": "", "/etc/apache2/mods-enabled/mpm_worker.load": ""},
            "a2query -m x",
        ),
        ({}, "a2query -m x -c y"),
        ({}, "dictdconfig -l"),
        ({"/etc/dictd/dictdconfig.alias": "", "/etc/dictd/dictd.order": ""}, "dictdconfig -w"),
        ({}, "hostname box"),
        ({}, "hostname -i"),
        ({"/etc/nsswitch.conf": "hosts: dns files\n", "/etc/hosts": "127.0.0.1 localhost\n"}, "hostname -f"),
        ({"/etc/nsswitch.conf": "hosts: files dns\n", "/etc/hosts": "127.0.0.1 a localhost\n"}, "hostname -f"),
        (
            {**_DIRECTORIES, "/usr/lib/emacsen-common/packages/install/el-a": "#!/bin/sh\nexit 1\n"},
            "emacs-package-install --postinst el-a",
        ),
        ({}, "lighty-enable-mod"),
        ({}, "lighty-enable-mod 'a b'"),
        ({f"/etc/lighttpd/conf-available/{number}-a.conf": "" for number in (1, 2)}, "lighty-enable-mod a"),
        ({"/etc/lighttpd/conf-available/1-a.conf": ""}, "lighty-enable-mod a"),
        (
            {**_DIRECTORIES, "/usr/lib/emacsen-common/packages/compat/el-a": "",
             "/var/lib/emacsen-common/state/flavor/installed/emacs": ""},
            "emacs-package-install --postinst el-a",
        ),
        ({**_DIRECTORIES, "/usr/lib/emacsen-common/packages/compat/x": ""}, "emacs-package-install --postinst x"),
    ],
)  # fmt: skip
def test_refused(files: dict[str, str], command: str) -> None:
    with pytest.raises(Refused):
        evaluated(files, command)
