"""Secrets that scripts make up, and that are the same on every node: they are told, and nothing else is."""

import pytest

from assembler.configure import identity
from assembler.configure.executed import carried_out
from assembler.configure.identity import alike
from assembler.configure.job import Answer, Configure, Job
from assembler.debian.package import Unpacked
from assembler.tree.changes import Changes, Entry
from assembler.tree.staging import Kind, Tree


def file(content: bytes) -> Entry:
    return Entry(kind=Kind.FILE, mode=0o600, uid=0, gid=0, mtime=0, content=content)


def package(name: str, **control: bytes) -> Unpacked:
    return Unpacked(name=name, version="1", architecture="amd64", fields={}, control=control, paths=("/.",))


def paths(content: bytes, path: str = "/etc/odd/settings", selections: str = "") -> list[str]:
    return [each.where.path for each in alike.found(Changes(put={path: file(content)}), (), ("odd",), selections)]


@pytest.mark.parametrize(
    "text",
    [
        b"dbc_dbuser='cacti'\ndbc_dbpass='kM3vGq8t'\n",
        b"olcRootDN: cn=admin\nolcRootPW:: e1NTSEF9d0ZzVGtPZHZ0bU1OUzJXZz09\n",
        b"rootpw {SSHA}wFsTkOdvtmMNS2WgF1lZ9pC4\n",
        b"backuppc:$apr1$Wk7bQx1m$5Yk0Zr2n8Y4e1Qp0aXl3x.\n",
        b"root:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o:19000::\n",
        b"admin_pass: 8fK2mZq0LwX7vB1nT5rY9cD3hJ6gS4aP\n",
        b"SECRET_KEY = 'o+7Zk3JqX9v1BfTn5Wm2Rc8Ly0Hd4Gs6'\n",
        b"$config['des_key'] = 'k1Xv7Qm9Zp3Lb5Nc8Rt2Wy4H';\n",
        b'    "password" => "f81d4fae7dec11d0a76500a0c91e6bf6",\n',
    ],
)
def test_what_looks_like_a_secret_is_told(text: bytes) -> None:
    assert paths(text) == ["/etc/odd/settings"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"dbc_dbpass=''\n",
        b"root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n",
        b"# password = 8fK2mZq0LwX7vB1nT5rY9cD3hJ6gS4aP\n",
        b"password = changeme\n",
        b"password = change-this-on-your-production-server\n",
        b"ssl_certificate_key = /etc/ssl/private/ssl-cert-snakeoil.key\n",
        b"HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\n",
        b"token: SystemAdministrators2\n",
        b"secret_backend = org.example.secrets.FileBackend\n",
        b"password_hash_algorithm = argon2id\n",
        b"\x00" * 4096,
    ],
)
def test_what_everybody_has_is_not(text: bytes) -> None:
    assert not paths(text)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/var/lib/odd/settings", True),
        ("/root/.odd", True),
        ("/usr/share/odd/example", False),
        ("/var/cache/odd", False),
        ("/var/lib/dpkg/info/odd.postinst", False),
    ],
)
def test_only_where_settings_are(path: str, *, told: bool) -> None:
    assert bool(paths(b"rootpw {SSHA}wFsTkOdvtmMNS2WgF1lZ9pC4\n", path)) is told


def test_files_of_packages_are_left_alone() -> None:
    changes = Changes(put={"/etc/odd": file(b"dbc_dbpass=x\n"), "/etc/other": file(b"dbc_dbpass=x\n")})
    assert [each.where.path for each in alike.found(changes, {"/etc/odd"}, (), "")] == ["/etc/other"]


def test_a_password_of_the_recipes_is_no_news() -> None:
    text = b"rootpw {SSHA}wFsTkOdvtmMNS2WgF1lZ9pC4\n"
    assert paths(text, selections="slapd slapd/domain string example.org\n")
    assert not paths(text, selections="slapd slapd/password1 password geheim\n")


def test_there_is_an_end_to_what_is_told() -> None:
    changes = Changes(put={f"/etc/odd/{number}": file(b"dbc_dbpass=x\n") for number in range(33)})
    errors = alike.found(changes, (), (), "")
    assert len(errors) == 21
    assert errors[-1].what.startswith("scripts made 13 more secrets")


def test_answers_that_debconf_keeps_are_told_unless_they_are_the_recipes() -> None:
    kept = b"""Name: odd/password
Template: odd/password
Value: kM3v
Owners: odd, even
Flags: seen

Name: odd/again
Template: odd/again
Value:
Owners: odd

Name: given
Value: x
Owners: even
"""
    changes = Changes(put={"/var/cache/debconf/passwords.dat": file(kept)})
    [error] = alike.found(changes, (), (), "even given password x\n")
    assert (error.where.package, "odd/password" in error.what) == ("odd", True)
    assert "answer odd/password in rootfs.debconf.answers" in error.hint
    assert len(alike.found(changes, (), (), "even given seen true\n")) == 2


SLAPD = {"/etc/ldap/slapd.d/cn=config/olcDatabase={1}mdb.ldif": file(b"olcRootPW:: e1NTSEF9d0ZzVGtPZHZ0bU1OUzJXZz09\n")}


def test_what_is_known_of_a_package_is_told_once_and_with_its_question() -> None:
    [error] = alike.found(Changes(put=SLAPD), (), {"slapd"}, "")
    assert (error.where.package, error.where.path) == ("slapd", next(iter(SLAPD)))
    assert "the administrator's password" in error.what
    assert "answer slapd/password1" in error.hint
    assert not alike.found(Changes(put=SLAPD), (), {"slapd"}, "slapd slapd/password1 password geheim\n")
    assert not alike.found(Changes(), (), {"slapd"}, "")


def test_a_check_tells_beforehand_of_what_is_executed() -> None:
    database = package("cacti", postinst=b". /usr/share/dbconfig-common/dpkg/postinst\n")
    packages = [package("slapd"), package("mailman3"), package("else"), database]
    told = [each.where.package for each in alike.expected(packages, {"slapd", "mailman3", "else", "cacti"}, "")]
    assert told == ["slapd", "mailman3", "cacti"]
    assert not list(alike.expected(packages, (), ""))
    given = "slapd slapd/password1 password x\ncacti cacti/mysql/app-pass password y\n"
    assert [each.where.package for each in alike.expected(packages, {"slapd", "cacti"}, given)] == []


def test_nothing_is_both_made_on_nodes_and_told() -> None:
    """One list, or the other."""
    for known in alike.KNOWN.values():
        assert not any(identity.is_made_on_node(path) for path in known.paths)
    assert not identity.PACKAGES.intersection(alike.KNOWN)


def test_a_machine_tells_of_both_and_what_nodes_make_is_left_out() -> None:
    tree = Tree()
    tree.mkdir("/etc/munge", parents=True)
    made = Changes(put={"/etc/munge/munge.key": file(b"random"), "/etc/odd": file(b"dbc_dbpass=x\n")})
    job = Job(steps=(Answer(selections="odd odd/x string y\n"), Configure(names=("munge", "odd"))), epoch=0)
    secrets = carried_out(lambda _tree, _job: made, tree, job, (), refuse_keys=True, names=("munge", "odd"))
    assert [each.where.path for each in secrets.alike] == ["/etc/odd"]
    assert secrets.left == ("/etc/munge/munge.key",)
    assert not tree.lexists("/etc/munge/munge.key")
    assert tree.read("/etc/odd") == b"dbc_dbpass=x\n"
