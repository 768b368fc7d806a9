"""Rules with more to them: what is kept, what is told, and services as Debian configures them."""

import pytest

from assembler.configure.calls import Exit
from tests.configure.carried import ACCOUNTS, carried_out, directories, left

UNIT = "[Install]\nWantedBy={0}\n"
INITSCRIPT = "### BEGIN INIT INFO\n# Provides: {0}\n# Default-Start: 2\n# Default-Stop: 0\n### END INIT INFO\n"


def test_a_file_of_somebody_else_is_kept() -> None:
    kept = {"/etc/crypttab": "mine\n", "/etc/modules": "mine\n", "/etc/python3/debian_config": "mine\n"}
    assert left("cryptsetup", kept, "preinst") == []
    assert left("kmod", kept) == []
    assert left("python3", kept) == []
    masters = {"/usr/share/base-passwd/passwd.master": "", "/usr/share/base-passwd/group.master": ""}
    assert (
        left("base-passwd", masters | dict.fromkeys(("/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"), "x\n"))
        == []
    )
    assert (
        left(
            "redis-server",
            ACCOUNTS
            | {"/etc/redis/redis.conf": "", "/var/lib/dpkg/statoverride": "root root 600 /etc/redis/redis.conf\n"},
        )
        == []
    )


def test_ssh_allows_root_by_key_only_as_the_package_ships_it() -> None:
    assert left(
        "openssh-server", {"/usr/share/openssh/sshd_config": "#PermitRootLogin prohibit-password\nUsePAM yes\n"}
    ) == [
        "/etc/ssh/sshd_config | 644 0:0 | UsePAM yes",
        "/var/lib/ucf/registry | 644 0:0 | openssh-server \t /etc/ssh/sshd_config",
    ]


def test_passwords_go_where_only_root_reads() -> None:
    files = {"/etc/passwd": "root:*:0:0::/root:/bin/sh\n", "/etc/group": "root:*:0:\nshadow:*:42:\n"}
    tree = carried_out("passwd", files).tree
    kept = [tree.at(f"/etc/{name}") for name in ("passwd", "shadow", "gshadow")]
    assert [(inode.mode, inode.gid) for inode in kept] == [(0o644, 0), (0o640, 42), (0o640, 42)]
    assert tree.read_text("/etc/passwd") == "root:x:0:0::/root:/bin/sh\n"
    assert tree.read_text("/etc/shadow").startswith("root:*:")


def test_systemd_leaves_units_and_no_machine_id() -> None:
    units = {
        "getty@.service": "getty.target",
        "remote-fs.target": "multi-user.target",
        "systemd-pstore.service": "sysinit.target",
    }
    files = {f"/usr/lib/systemd/system/{name}": UNIT.format(target) for name, target in units.items()}
    system, shipped = "/etc/systemd/system", "/usr/lib/systemd/system"
    wanted = [
        f"{system}/getty.target.wants/getty@tty1.service | -> {shipped}/getty@.service",
        f"{system}/multi-user.target.wants/remote-fs.target | -> {shipped}/remote-fs.target",
        f"{system}/sysinit.target.wants/systemd-pstore.service | -> {shipped}/systemd-pstore.service",
        "/var/log/journal | 755 0:0 /",
    ]
    assert left("systemd", files) == ["/etc/machine-id | 444 0:0", *wanted]
    assert left("systemd", files | {"/etc/machine-id": "uninitialized\n"}) == wanted
    moved = left("systemd", files | {"/etc/default/locale": "LANG=C\n"})
    assert [line for line in moved if "/etc/default" in line or "locale" in line] == [
        "/etc/default | 755 0:0 /", "/etc/locale.conf | 644 0:0 | LANG=C", "/etc/default/locale | -",
    ]  # fmt: skip


def test_units_of_an_older_lvm_are_forgotten() -> None:
    state = "/var/lib/systemd/deb-systemd-helper"
    files = {
        path: text
        for unit in ("lvm2-activation.service", "lvm2-activation-early.service", "lvm2-lvmetad.socket")
        for path, text in {
            f"{state}-enabled/{unit}.dsh-also": "",
            f"{state}-masked/{unit}": "",
            f"/etc/systemd/system/{unit}": "->/dev/null",
        }.items()
    }
    gone = carried_out("lvm2", files).tree
    assert [path for path in files if gone.lexists(path)] == []


@pytest.mark.parametrize("name", ["index.html", "html/index.php"])
def test_a_web_server_starts_with_the_site_of_the_package(name: str) -> None:
    first = "access_compat alias auth_basic authn_file authz_host authz_user autoindex deflate"
    more = "dir env filter mime mpm_event negotiation reqtimeout setenvif status"
    confs = ["charset", "localized-error-pages", "other-vhosts-access-log", "security", "serve-cgi-bin"]
    enabled = {
        f"{kind}-enabled/{name}": f"../{kind}-available/{name}"
        for kind, names in (
            ("conf", [f"{conf}.conf" for conf in confs]),
            ("mods", [f"{module}.load" for module in (*first.split(), *more.split())]),
            ("sites", ["000-default.conf"]),
        )
        for name in names
    }
    files = (
        ACCOUNTS
        | directories("/var/www/html", "/var/log/apache2")
        | directories("/etc/apache2/conf-enabled", "/etc/apache2/mods-enabled", "/etc/apache2/sites-enabled")
        | {
            "/usr/share/apache2/default-site/index.html": "It works!\n",
            "/usr/lib/systemd/system/apache-htcacheclean.service": UNIT.format("multi-user.target"),
            "/etc/init.d/apache-htcacheclean": INITSCRIPT.format("apache-htcacheclean"),
            **{f"/etc/apache2/{link.replace('-enabled', '-available')}": "" for link in enabled},
        }
    )
    changed = left("apache2", files)
    assert {line for line in changed if "/apache2/" in line and " | -> " in line} == {
        f"/etc/apache2/{link} | -> {target}" for link, target in enabled.items()
    }
    assert [line for line in changed if line.startswith("/var/log/")] == [
        f"/var/log/apache2/{name}.log | 640 0:4" for name in ("access", "error", "other_vhosts_access")
    ]
    # The cleaner of the disk cache is known, and off.
    assert [line.partition(" ")[0] for line in changed if "htcacheclean" in line] == [
        "/etc/rc0.d/K01apache-htcacheclean", "/etc/rc2.d/K01apache-htcacheclean",
        "/var/lib/systemd/deb-systemd-helper-enabled/apache-htcacheclean.service.dsh-also",
    ]  # fmt: skip
    assert "/var/www/html/index.html | 644 0:0 | It works!" in changed
    assert not any("/var/www" in line for line in left("apache2", files | {f"/var/www/{name}": "mine"}))


def test_a_firewall_is_configured_and_off() -> None:
    rules = ["before", "before6", "after", "after6", "user", "user6"]
    files = directories("/etc/ufw") | {f"/usr/share/ufw/iptables/{name}.rules": f"{name}\n" for name in rules}
    files |= {f"/usr/share/ufw/{name}": f"{name}\n" for name in ("before.init", "after.init")}
    files |= {"/usr/share/ufw/ufw.conf": "ENABLED=no\n"}
    assert left("ufw", files) == [
        "/etc/ufw/after.init | 640 0:0 | after.init",
        "/etc/ufw/after.rules | 640 0:0 | after",
        "/etc/ufw/after6.rules | 640 0:0 | after6",
        "/etc/ufw/before.init | 640 0:0 | before.init",
        "/etc/ufw/before.rules | 640 0:0 | before",
        "/etc/ufw/before6.rules | 640 0:0 | before6",
        "/etc/ufw/ufw.conf | 644 0:0 | ENABLED=no",
        "/etc/ufw/user.rules | 640 0:0 | user",
        "/etc/ufw/user6.rules | 640 0:0 | user6",
    ]


def test_names_of_lzma_are_those_of_xz() -> None:
    names = {
        "lzma": "xz",
        "unlzma": "unxz",
        **{f"lz{name}": f"xz{name}" for name in ("cat", "more", "less", "diff", "cmp", "grep", "egrep", "fgrep")},
    }
    files = {f"/usr/bin/{name}": "" for name in names.values()} | {
        f"/usr/share/man/man1/{name}.1.gz": "" for name in names.values()
    }
    tree = carried_out("xz-utils", files).tree
    for link, name in names.items():
        assert tree.resolve(f"/usr/bin/{link}", follow=True) == f"/usr/bin/{name}"
        assert tree.resolve(f"/usr/share/man/man1/{link}.1.gz", follow=True) == f"/usr/share/man/man1/{name}.1.gz"
    assert "\n20\n" in tree.read_text("/var/lib/dpkg/alternatives/lzma")


def test_packages_are_told_that_libc_changed() -> None:
    context = carried_out("libc6", {})
    assert context.triggers == {"libc-upgrade"}


def test_help_of_an_addon_of_vim_is_not_indexed() -> None:
    assert left("vim-runtime", {}) == []
    with pytest.raises(Exit) as caught:
        left("vim-runtime", directories("/usr/share/vim/addons/doc"))
    assert caught.value.status == 1
