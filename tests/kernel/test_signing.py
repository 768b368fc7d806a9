"""Signatures of modules, against openssl: it makes the keys, and verifies what comes out."""

import struct
import subprocess
from pathlib import Path

import pytest

from assembler.kernel.module import unsigned
from assembler.kernel.signing import MAGIC, Signer, SigningError

MODULE = b"\x7fELF" + bytes(range(256)) * 40


def openssl(directory: Path, *args: str) -> str:
    done = subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


def made(directory: Path, name: str, *algorithm: str) -> str:
    """A key and its certificate, in one text."""
    openssl(directory, "genpkey", *algorithm, "-out", f"{name}.key")
    (directory / "x.cnf").write_text("[req]\ndistinguished_name = d\n[d]\n")
    openssl(
        directory,
        *("req", "-x509", "-new", "-key", f"{name}.key", "-out", f"{name}.crt", "-days", "9", "-config", "x.cnf"),
        *("-subj", "/O=Ex/CN=Modules of ours"),
    )
    return (directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text()


RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("keys")
    return directory, made(directory, "a", *RSA)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_openssl_verifies_what_is_appended(keys: tuple[Path, str], tmp_path: Path, algorithm: str) -> None:
    directory, text = keys
    signed = Signer.of(text).sign(MODULE, algorithm)
    assert signed == Signer.of(text).sign(MODULE, algorithm)
    assert signed.startswith(MODULE)
    assert signed.endswith(MAGIC)
    assert unsigned(signed) == MODULE
    *ids, size = struct.unpack(">BBBBBxxxI", signed[-len(MAGIC) - 12 : -len(MAGIC)])
    assert ids == [0, 0, 2, 0, 0]
    assert len(signed) == len(MODULE) + size + 12 + len(MAGIC)
    (tmp_path / "signature").write_bytes(signed[len(MODULE) : len(MODULE) + size])
    (tmp_path / "module").write_bytes(MODULE)
    verify = ("cms", "-verify", "-binary", "-noverify", "-inform", "DER", "-in", str(tmp_path / "signature"))
    certificate = ("-certfile", str(directory / "a.crt"), "-nointern", "-out", str(tmp_path / "out"))
    openssl(directory, *verify, *certificate, "-content", str(tmp_path / "module"))
    shown = openssl(directory, "cms", "-cmsout", "-print", "-inform", "DER", "-in", str(tmp_path / "signature"))
    assert f"algorithm: {algorithm} " in shown
    assert "signedAttrs" not in shown or "signedAttrs:\n          <ABSENT>" in shown
    (tmp_path / "module").write_bytes(MODULE + b"x")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(directory, *verify, *certificate, "-content", str(tmp_path / "module"))


def test_a_key_in_the_older_form_is_the_same(keys: tuple[Path, str]) -> None:
    directory, text = keys
    openssl(directory, "pkey", "-in", "a.key", "-traditional", "-out", "old.key")
    older = (directory / "old.key").read_text() + (directory / "a.crt").read_text()
    assert "BEGIN RSA PRIVATE KEY" in older
    assert Signer.of(older) == Signer.of(text)


def test_what_cannot_be_signed_with(keys: tuple[Path, str], tmp_path: Path) -> None:
    directory, text = keys
    key, certificate = (directory / "a.key").read_text(), (directory / "a.crt").read_text()
    made(tmp_path, "b", *RSA)
    short = made(tmp_path, "c", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
    curve = made(tmp_path, "d", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    openssl(directory, "pkey", "-in", "a.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
    for given, why in {
        "": "it has 0 keys and 0 certificates",
        key: "it has 1 keys and 0 certificates",
        certificate: "it has 0 keys and 1 certificates",
        text + key: "it has 2 keys and 1 certificates",
        key + (tmp_path / "b.crt").read_text(): "the certificate is of another key",
        short: "it has 1024 bits",
        curve: "is not of RSA",
        (directory / "locked.key").read_text() + certificate: "the key has a passphrase",
        text + "x" * (1 << 16): "more than 65536 characters",
        key + certificate.replace("MII", "MIA", 1): "damaged",
    }.items():
        with pytest.raises(SigningError, match=why) as caught:
            Signer.of(given)
        # Nothing of the key is in what is told.
        assert key[60:90] not in str(caught.value)
    with pytest.raises(SigningError, match="the kernel wants sm3"):
        Signer.of(text).sign(MODULE, "sm3")
    assert "exponent" not in repr(Signer.of(text))


@pytest.mark.parametrize("cut", range(0, 1300, 37))
def test_damaged_keys_are_refused(keys: tuple[Path, str], cut: int) -> None:
    _, text = keys
    body = text.index("\n") + 1
    with pytest.raises(SigningError):
        Signer.of(text[: body + cut] + text[body + cut + 4 :])
