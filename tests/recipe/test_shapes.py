"""What strings of a recipe may look like."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from assembler.recipe import shapes

GOOD: list[tuple[Any, list[str]]] = [
    (shapes.PackageName, ["mc", "libstdc++6", "g++-14", "0ad", "libc6:arm64", "linux-image-6.12.48+deb13-amd64"]),
    (shapes.HostName, ["a", "k8s-livecd", "node1.example.org", "1.2", "a" * 63, "a" * 31 + "." + "b" * 32, "UPPER"]),
    (
        shapes.Password,
        [
            "!",
            "root",
            "!bang",
            "pass word with $ and : in it",
            "ümlaut",
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            "$6$abcdefgh$" + "x" * 86,
            "$6$rounds=5000$abcdefgh$" + "x" * 86,
            "$5$abcdefgh$" + "x" * 43,
            "$2b$10$" + "x" * 53,
            "$1$abcdefgh$" + "x" * 22,
        ],
    ),
    (shapes.TimeZone, ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "EST5EDT"]),
    (shapes.Locale, ["C", "POSIX", "C.UTF-8", "en_GB.UTF-8", "de_DE@euro", "ca_ES.UTF-8@valencia", "fil_PH"]),
    (shapes.UnitName, ["ssh.service", "getty@tty1.service", "getty@.service", "dev-sda1.mount", "a\\x2db.socket"]),
    (shapes.ImagePath, ["/a", "/etc/x.conf", "/a b/ü", "/.hidden", "/..a", "/a/...", "/~"]),
    (shapes.PathPattern, ["/*", "/usr/share/doc/*", "/usr/share/locale/[!e]*"]),
    (shapes.FileMode, ["644", "0644", "4755", "04755"]),
    (shapes.Label, ["K8S_NODE", "A", "A" * 16]),
    (shapes.StateDisk, ["auto", "none", "LABEL=K8S_STATE", "UUID=0a1b-2C3D", "/dev/vda", "/dev/disk/by-id/ata-x.y:z"]),
    (shapes.StateDisk, ["auto,required", "PARTLABEL=state", "SERIAL=S1,required"]),
    (shapes.Url, ["", "https://deb.example.org/debian", "http://[::1]:8080/x"]),
    (shapes.Account, ["root", "_ssh", "systemd-network", "0", "65534"]),
    (shapes.KernelParameter, ["quiet", 'dyndbg="file x +p"', '"a b"', 'a""b="c"d']),
    (shapes.ArgumentName, ["A", "ROOT_PASSWORD", "K8S"]),
]
BAD: list[tuple[Any, list[str]]] = [
    (shapes.PackageName, ["", "a", "Mc", "a_b", "mc=1.0", "mc\n", "-x", "mc:", "é1"]),
    (shapes.HostName, ["", "-a", "a-", "a_b", "a..b", ".a", "a.", "a" * 64, "a" * 40 + "." + "b" * 40, "a b", "a\n"]),
    (shapes.Password, ["", "*", "$", "$6$", "$6$salt$short", "$99$abcdefgh$" + "x" * 86, "$money", "a\nb", "a\x00b"]),
    (shapes.TimeZone, ["", "../etc/passwd", "/etc/localtime", "Europe/", "Europe Berlin", "Etc/UTC\n", "a/./b"]),
    (shapes.Locale, ["", "english", "en_gb", "C.UTF-8\n", "../x"]),
    (shapes.UnitName, ["", "ssh", "ssh.servic", "a/b.service", ".service", "a b.service", "../x.service"]),
    (shapes.ImagePath, ["", "/", "a", "/a/", "//a", "/a//b", "/./a", "/a/..", "/../a", "/a\n", "/a\x00"]),
    (shapes.PathPattern, ["", "usr", "*", "/a\nb"]),
    (shapes.FileMode, ["", "64", "0o644", "888", "007777", "u+x"]),
    (shapes.Label, ["", "k8s", "A" * 17, "A B", "A-B"]),
    (shapes.StateDisk, ["", "AUTO", "LABEL=", "LABEL=a b", "/dev/", "sda", "/etc/x", "auto\n", "/dev/vda;x"]),
    (shapes.StateDisk, ["required", "none,required", "auto,require", "auto,required,required"]),
    (shapes.Url, ["deb.example.org", "file:///srv/mirror", "ftp://x", "https://", "https://a b"]),
    (shapes.Account, ["", "Root", "1a", "-x", "a" * 33]),
    (shapes.KernelParameter, ["", "a b", 'a="b', '"', "a\nb", "é", "a\tb", '"a\tb"']),
    (shapes.ArgumentName, ["", "a", "1A", "A-B"]),
]


@pytest.mark.parametrize(("shape", "value"), [(shape, value) for shape, values in GOOD for value in values])
def test_good(shape: Any, value: str) -> None:
    assert TypeAdapter(shape).validate_python(value) == value


@pytest.mark.parametrize(("shape", "value"), [(shape, value) for shape, values in BAD for value in values])
def test_bad(shape: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(shape).validate_python(value)


def test_what_is_shown_of_a_wrong_value() -> None:
    assert shapes.quoted("a\nb\x1b[31m\x00") == "'a\\nb\\x1b[31m\\x00'"
    assert shapes.quoted("x" * 100) == f"'{'x' * 60}…'"
    assert shapes.quoted("x" * 60) == f"'{'x' * 60}'"
    assert shapes.quoted("x" * 61) == f"'{'x' * 60}…'"


def test_sizes_are_in_powers_of_two() -> None:
    assert [shapes.in_bytes(size) for size in ("1M", "512M", "3G", "2T")] == [1 << 20, 512 << 20, 3 << 30, 2 << 40]
