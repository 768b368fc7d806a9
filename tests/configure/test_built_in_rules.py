"""What the assembler's own rules leave in an image: accounts, owners, modes, links and files, and nothing else."""

from typing import Any

import pytest

from tests.configure.carried import ACCOUNTS, directories, left


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            (
                "unattended-upgrades",
                ACCOUNTS
                | directories("/var/log/unattended-upgrades")
                | {
                    "/usr/share/unattended-upgrades/20auto-upgrades": "a\n",
                    "/usr/share/unattended-upgrades/50unattended-upgrades": "b\n",
                },
            ),
            [
                "/etc/apt/apt.conf.d/20auto-upgrades | 644 0:0 | a",
                "/etc/apt/apt.conf.d/50unattended-upgrades | 644 0:0 | b",
                (
                    "/var/lib/ucf/registry | 644 0:0 | unattended-upgrades \t /etc/apt/apt.conf.d/20auto-upgrades | "
                    "unattended-upgrades \t /etc/apt/apt.conf.d/50unattended-upgrades"
                ),
                "/var/log/unattended-upgrades | 750 0:4 /",
            ],
        ),
        (
            ("gawk", {"/usr/bin/gawk": "", "/usr/share/man/man1/gawk.1.gz": ""}),
            [
                "/etc/alternatives/awk | -> /usr/bin/gawk",
                "/etc/alternatives/awk.1.gz | -> /usr/share/man/man1/gawk.1.gz",
                "/etc/alternatives/nawk | -> /usr/bin/gawk",
                "/etc/alternatives/nawk.1.gz | -> /usr/share/man/man1/gawk.1.gz",
                "/usr/bin/awk | -> /etc/alternatives/awk",
                "/usr/bin/nawk | -> /etc/alternatives/nawk",
                "/usr/share/man/man1/awk.1.gz | -> /etc/alternatives/awk.1.gz",
                "/usr/share/man/man1/nawk.1.gz | -> /etc/alternatives/nawk.1.gz",
                "/var/lib/dpkg/alternatives/awk | 644 0:0 | 10",
            ],
        ),
        (
            ("mariadb-common", {"/etc/mysql/mariadb.cnf": "m"}),
            [
                "/etc/alternatives/my.cnf | -> /etc/mysql/mariadb.cnf",
                "/etc/mysql/my.cnf | -> /etc/alternatives/my.cnf",
                "/var/lib/dpkg/alternatives/my.cnf | 644 0:0 | 200",
            ],
        ),
        (
            ("mariadb-server", ACCOUNTS | directories("/var/lib"), "preinst"),
            [
                "/etc/group | mysql:x:100:",
                "/etc/passwd | mysql:x:100:100:MariaDB Server:/nonexistent:/bin/false",
                "/var/lib/mysql | 755 100:100 /",
            ],
        ),
        (
            ("mysql-common", {"/etc/mysql/my.cnf.fallback": "m"}),
            [
                "/etc/alternatives/my.cnf | -> /etc/mysql/my.cnf.fallback",
                "/etc/mysql/my.cnf | -> /etc/alternatives/my.cnf",
                "/var/lib/dpkg/alternatives/my.cnf | 644 0:0 | 100",
            ],
        ),
        (
            ("redis-server", ACCOUNTS | {"/etc/redis/redis.conf": ""}),
            [
                "/etc/redis/redis.conf | 640 101:102",
                "/var/lib/dpkg/statoverride | 644 0:0 | redis redis 640 /etc/redis/redis.conf",
            ],
        ),
        (
            (
                "chrony",
                ACCOUNTS
                | directories("/var/lib/chrony", "/var/log/chrony", "/etc/chrony")
                | {"/usr/bin/ucf": "", "/usr/share/chrony/chrony.conf": "c\n", "/usr/share/chrony/chrony.keys": "k\n"},
            ),
            [
                "/etc/chrony/chrony.conf | 644 0:0 | c",
                "/etc/chrony/chrony.keys | 640 0:100 | k",
                "/etc/group | _chrony:x:100:",
                "/etc/passwd | _chrony:x:100:100:Chrony daemon:/var/lib/chrony:/usr/sbin/nologin",
                "/var/lib/chrony | 750 100:100 /",
                (
                    "/var/lib/dpkg/statoverride | 644 0:0 | _chrony _chrony 750 /var/lib/chrony | "
                    "_chrony _chrony 750 /var/log/chrony | root _chrony 640 /etc/chrony/chrony.keys"
                ),
                (
                    "/var/lib/ucf/registry | 644 0:0 | chrony \t /etc/chrony/chrony.conf | "
                    "chrony \t /etc/chrony/chrony.keys"
                ),
                "/var/log/chrony | 750 100:100 /",
            ],
        ),
        (
            ("cron-daemon-common", ACCOUNTS | directories("/var/spool/cron/crontabs")),
            ["/etc/group | crontab:x:100:", "/var/spool/cron/crontabs | 1730 0:100 /"],
        ),
        (
            ("dnsmasq-base", ACCOUNTS | directories("/run")),
            [
                "/etc/passwd | dnsmasq:x:999:65534:dnsmasq:/var/lib/misc:/usr/sbin/nologin",
                "/run/dnsmasq | 755 999:65534 /",
            ],
        ),
        (
            ("frr", ACCOUNTS | directories("/var/lib", "/var/log")),
            [
                "/etc/frr | 700 999:101 /",
                "/etc/group | frr:x:101: | frrvty:x:999:frr",
                "/etc/passwd | frr:x:999:101::/nonexistent:/bin/sh",
                "/var/lib/dpkg/statoverride | 644 0:0 | frr frr 700 /etc/frr",
                "/var/lib/frr | 755 999:101 /",
                "/var/log/frr | 755 999:4 /",
            ],
        ),
        (
            (
                "bind9",
                ACCOUNTS
                | directories("/var/cache/bind")
                | {"/etc/bind/named.conf": "", "/etc/bind/named.conf.local": ""},
            ),
            [
                "/etc/bind | 2755 0:100 /",
                "/etc/bind/named.conf | 644 0:100",
                "/etc/bind/named.conf.local | 644 0:100",
                "/etc/group | bind:x:100:",
                "/etc/passwd | bind:x:100:100::/var/cache/bind:/usr/sbin/nologin",
                "/var/cache/bind | 775 0:100 /",
                "/var/lib/bind | 775 0:100 /",
            ],
        ),
        (
            ("apparmor", {}),
            [
                "/etc/apparmor.d/tunables/home.d/ubuntu | 644 0:0",
                "/etc/apparmor.d/tunables/xdg-user-dirs.d/site.local | 644 0:0",
            ],
        ),
        (("fail2ban", ACCOUNTS | directories("/var/log")), ["/var/log/fail2ban.log | 640 0:4"]),
        (
            (
                "polkitd",
                ACCOUNTS
                | directories("/usr/share/polkit-1/rules.d", "/etc/polkit-1/rules.d")
                | {
                    "/usr/bin/systemd-sysusers": "",
                    "/usr/lib/sysusers.d/polkit.conf": 'u polkitd - "User for polkitd"\n',
                    "/var/lib/polkit-1/.cache/x": "",
                    "/usr/lib/polkit-1/polkit-agent-helper-1": "",
                },
            ),
            [
                "/etc/group | polkitd:x:999:",
                "/etc/passwd | polkitd:x:999:999:User for polkitd:/:/usr/sbin/nologin",
                "/etc/polkit-1/rules.d | 750 0:999 /",
                "/usr/lib/polkit-1/polkit-agent-helper-1 | 4755 0:0",
                "/var/lib | 755 0:0 /",
                "/var/lib/polkit-1/.cache/x | -",
            ],
        ),
        (
            (
                "polkitd",
                ACCOUNTS
                | directories("/usr/share/polkit-1/rules.d", "/etc/polkit-1/rules.d")
                | {"/usr/lib/polkit-1/polkit-agent-helper-1": ""},
            ),
            [
                "/etc/group | polkitd:x:100:",
                "/etc/passwd | polkitd:x:100:100:polkit:/nonexistent:/usr/sbin/nologin",
                "/etc/polkit-1/rules.d | 750 0:100 /",
                "/usr/lib/polkit-1/polkit-agent-helper-1 | 4755 0:0",
            ],
        ),
        (
            ("sgml-base", directories("/var/lib/sgml-base") | {"/etc/sgml/x.cat": ""}),
            [
                "/etc/sgml/catalog | -> /var/lib/sgml-base/supercatalog",
                "/var/lib/sgml-base/supercatalog | 644 0:0 | -- | -- | CATALOG /etc/sgml/x.cat",
            ],
        ),
        (("ifupdown", {}, "preinst"), ["/etc/network | 755 0:0 /"]),
        (
            ("network-manager", ACCOUNTS | directories("/var/lib/NetworkManager")),
            ["/etc/group | netdev:x:100:", "/var/lib/NetworkManager | 700 0:0 /"],
        ),
        (
            ("base-files", {}, "preinst"),
            [
                (
                    "/var/lib/dpkg/diversions | 644 0:0 | /lib32 | /.lib32.usr-is-merged | base-files | /libo32 | "
                    "/.libo32.usr-is-merged | base-files | /libx32 | /.libx32.usr-is-merged | base-files"
                ),
            ],
        ),
        (
            ("base-files", {}, "preinst", 1),
            [
                (
                    "/var/lib/dpkg/diversions | 644 0:0 | /lib32 | /.lib32.usr-is-merged | base-files | /lib64 | "
                    "/.lib64.usr-is-merged | base-files | /libo32 | /.libo32.usr-is-merged | base-files | /libx32 | "
                    "/.libx32.usr-is-merged | base-files"
                ),
            ],
        ),
        (
            (
                "base-passwd",
                directories("/etc")
                | {
                    "/usr/share/base-passwd/passwd.master": "root:x:0:0::/root:/bin/sh\n",
                    "/usr/share/base-passwd/group.master": "root:x:0:\nadm:x:4:\nshadow:x:42:\nnogroup:x:65534:\n",
                },
            ),
            [
                "/etc/group | 644 0:0 | root:x:0: | adm:x:4: | shadow:x:42: | nogroup:x:65534:",
                "/etc/passwd | 644 0:0 | root:x:0:0::/root:/bin/sh",
                "/etc/subgid | 644 0:0",
                "/etc/subuid | 644 0:0",
            ],
        ),
        (
            ("cryptsetup", directories("/usr/sbin")),
            [
                "/usr/sbin/cryptdisks_start | -> /sbin/cryptdisks_start",
                "/usr/sbin/cryptdisks_stop | -> /sbin/cryptdisks_stop",
            ],
        ),
        (("cryptsetup", directories("/etc"), "preinst"), ["/etc/crypttab | 644 0:0"]),
        (("dbus-daemon", {}), ["/var/lib/dbus/machine-id | -> /etc/machine-id"]),
        (
            ("dpkg", directories("/var/lib/dpkg") | {"/sbin": "->usr/sbin", "/usr/sbin/start-stop-daemon": ""}),
            ["/var/lib/dpkg/arch-native | 644 0:0 | amd64"],
        ),
        (
            ("klibc-utils", {"/usr/share/doc/klibc-utils/x": ""}),
            ["/usr/share/doc/klibc-utils | -> libklibc", "/usr/share/doc/klibc-utils/x | -"],
        ),
        (("kmod", directories("/etc")), ["/etc/modules | 644 0:0"]),
        (
            ("libc6", directories("/var/lib/dpkg"), "preinst"),
            [
                "/lib64 | -> usr/lib64",
                "/usr/lib64 | 755 0:0 /",
                (
                    "/var/lib/dpkg/diversions | 644 0:0 | /lib64/ld-linux-x86-64.so.2 | "
                    "/lib64/ld-linux-x86-64.so.2.usr-is-merged | libc6"
                ),
            ],
        ),
        (
            ("libc6", directories("/var/lib/dpkg"), "preinst", 1),
            [
                (
                    "/var/lib/dpkg/diversions | 644 0:0 | /lib/ld-linux-aarch64.so.1 | "
                    "/lib/ld-linux-aarch64.so.1.usr-is-merged | libc6"
                ),
            ],
        ),
        (
            ("libpam-modules", directories("/etc/security")),
            ["/etc/environment | 644 0:0", "/etc/security/opasswd | 600 0:0"],
        ),
        (("libwtmpdb0", {}), ["/var/lib/wtmpdb/wtmp.db | -> ../../log/wtmp.db"]),
        (
            ("openssh-server", {"/usr/share/openssh/sshd_config": "s\n"}),
            [
                "/etc/ssh/sshd_config | 644 0:0 | s",
                "/var/lib/ucf/registry | 644 0:0 | openssh-server \t /etc/ssh/sshd_config",
            ],
        ),
        (
            ("python3", directories("/etc")),
            ["/etc/python3/debian_config | 644 0:0 | [DEFAULT] | byte-compile = standard"],
        ),
        (
            ("python3.13-minimal", directories("/usr/local/lib") | {"/etc/python3.13/sysconfig.cfg": "x"}),
            [
                "/etc/python3.13 | 755 0:0 /",
                "/usr/local/lib/python3.13/dist-packages | 755 0:0 /",
                "/etc/python3.13/sysconfig.cfg | -",
            ],
        ),
        (
            ("systemd-resolved", {"/etc/resolv.conf": "nameserver 1\n"}),
            [
                "/etc/.resolv.conf.systemd-resolved.bak | 644 0:0 | nameserver 1",
                "/etc/resolv.conf | -> ../run/systemd/resolve/stub-resolv.conf",
                "/run/systemd/resolve/stub-resolv.conf | 644 0:0 | nameserver 1",
            ],
        ),
        (
            ("tzdata", {"/etc/timezone": "x\n"}),
            ["/etc/localtime | -> /usr/share/zoneinfo/Etc/UTC", "/etc/timezone | Etc/UTC"],
        ),
    ],
)
def test_what_a_rule_leaves(rule: tuple[Any, ...], expected: list[str]) -> None:
    assert left(*rule) == expected
