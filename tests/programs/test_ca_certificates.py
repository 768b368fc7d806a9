"""Trusted certificates against the openssl of the host."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.programs.ca_certificates import update_ca_certificates
from assembler.programs.x509 import CertificateError, certificates, subject_hash
from assembler.tree.staging import Kind, Tree
from tests.support.host_commands import need
from tests.tree.disk import on_disk, shown, tree_of, write_out

SUBJECTS = [
    ("utf8only", "/C=HU/O=NetLock Kft./CN=NetLock Arany (Class Gold) Főtanúsítvány"),
    ("nombstr", "/C=DE/O=  Many   blanks  here /CN=UPPER lower"),
    ("default", "/C=US/O=Example, Inc./OU=One/OU=Two+CN=Both"),
    ("pkix", "/CN=ü"),
    ("utf8only", "/CN=twin"),
    ("utf8only", "/CN=TWIN"),
]

# From 128 and 256 bytes on, lengths are written in another way.
LONG = ["/" + "+".join(f"OU={'x' * size}" for size in sizes) for sizes in ((60, 49), (60, 50), (64,) * 3, (64,) * 4)]


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Self-signed certificates with the subjects above, the long ones last."""
    program = need("openssl", "openssl")
    directory = tmp_path_factory.mktemp("certificates")
    made = []
    for number, (mask, subject) in enumerate([*SUBJECTS, *(("utf8only", subject) for subject in LONG)]):
        conf = directory / f"{number}.cnf"
        conf.write_text(f"[req]\ndistinguished_name=dn\nstring_mask={mask}\n[dn]\n")
        out = directory / f"{number}.pem"
        subprocess.run(
            [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-utf8",
             "-multivalue-rdn", "-config", conf, "-subj", subject, "-keyout", directory / "key", "-out", out],
            check=True, capture_output=True,
        )  # fmt: skip
        made.append(out.read_bytes())
    return made


def test_hashes_are_those_of_openssl(pems: list[bytes]) -> None:
    for pem in pems:
        real = subprocess.run(
            [need("openssl", "openssl"), "x509", "-noout", "-subject_hash"], input=pem, check=True, capture_output=True
        )
        assert subject_hash(certificates(pem)[0]) == real.stdout.decode().strip()


def select_all(tree: Tree) -> None:
    """As the package's postinst does where nobody chooses."""
    shipped = "/usr/share/ca-certificates"
    names = sorted(path.removeprefix(f"{shipped}/") for path, inode in tree.walk(shipped) if inode.kind is Kind.FILE)
    tree.write("/etc/ca-certificates.conf", "".join(f"{name}\n" for name in names).encode())


def filled(pems: list[bytes]) -> Tree:
    names = ["m/A (1).crt", "m/B, two.crt", "m/C_three.crt", "m/D.crt", "m/E.crt", "m/F.crt"]
    files = {f"/usr/share/ca-certificates/{name}": pem for name, pem in zip(names, pems[: len(SUBJECTS)], strict=True)}
    return tree_of({**files, "/etc/ssl/certs/": "", "/usr/local/share/ca-certificates/own.crt": pems[0].rstrip(b"\n")})


def test_a_fresh_installation(pems: list[bytes], tmp_path: Path) -> None:
    tree = filled(pems)
    select_all(tree)
    update_ca_certificates(tree)
    bundle = tree.read("/etc/ssl/certs/ca-certificates.crt")
    assert bundle == b"".join([*pems[: len(SUBJECTS)], pems[0]])
    links = {
        name: tree.at(f"/etc/ssl/certs/{name}").target for name in tree.names("/etc/ssl/certs") if name.endswith("pem")
    }
    assert links["A_=1=.pem"] == "/usr/share/ca-certificates/m/A (1).crt"
    assert links["B__two.pem"] == "/usr/share/ca-certificates/m/B, two.crt"
    assert links["own.pem"] == "/usr/local/share/ca-certificates/own.crt"
    twins = [name for name in tree.names("/etc/ssl/certs") if name.endswith(".1")]
    assert len(twins) == 1
    # The same hash links as openssl makes for the same files.
    plain = Tree()
    for name in links:
        plain.write(f"/certs/{name}", tree.read(f"/etc/ssl/certs/{name}"), parents=True)
    root = write_out(plain, tmp_path / "root")
    subprocess.run([need("openssl", "openssl"), "rehash", root / "certs"], check=True, capture_output=True)
    real = {Path(path).name: target for path, target in on_disk(root).items() if not path.endswith(".pem")}
    ours = {Path(path).name: target for path, target in shown(tree).items() if path.startswith("/etc/ssl/certs/")}
    assert {name: target for name, target in ours.items() if not name.endswith((".pem", ".crt"))} == real


def test_running_again_changes_nothing_and_a_deselected_certificate_goes(pems: list[bytes]) -> None:
    tree = filled(pems)
    select_all(tree)
    update_ca_certificates(tree)
    before = shown(tree)
    update_ca_certificates(tree)
    assert shown(tree) == before
    conf = tree.read_text("/etc/ca-certificates.conf").replace("m/D.crt", "!m/D.crt") + "m/missing.crt\n"
    tree.write("/etc/ca-certificates.conf", conf.encode())
    update_ca_certificates(tree)
    assert not tree.lexists("/etc/ssl/certs/D.pem")
    assert pems[3] not in tree.read("/etc/ssl/certs/ca-certificates.crt")


def test_a_damaged_certificate_is_named(pems: list[bytes]) -> None:
    tree = tree_of({"/usr/share/ca-certificates/bad.crt": pems[0].replace(b"MII", b"AAA", 1), "/etc/": ""})
    select_all(tree)
    with pytest.raises(CertificateError) as caught:
        update_ca_certificates(tree)
    assert caught.value.where.path == "/etc/ssl/certs/bad.pem"


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_ends_in_a_crash(pems: list[bytes], data: st.DataObject) -> None:
    der = bytearray(certificates(pems[0])[0])
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, min(250, len(der) - 1)))] = data.draw(st.integers(0, 255))
    try:
        found = subject_hash(bytes(der[: data.draw(st.integers(0, len(der)))]))
    except CertificateError:
        return
    assert len(found) == 8
