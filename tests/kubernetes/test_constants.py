"""Which images a kubeadm asks for, by its source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.errors import AssembleError
from assembler.kubernetes.constants import constants

SOURCE = """\
// Package constants is written as Kubernetes' own.
const (
	// MinExternalEtcdVersion indicates minimum external etcd version which kubeadm supports
	MinExternalEtcdVersion = "3.5.24-0"

	// DefaultEtcdVersion indicates the default etcd version that kubeadm uses
	DefaultEtcdVersion = "3.7.0-0"

	CoreDNSVersion = "v1.14.6"
	// PauseVersion indicates the default pause image version for kubeadm
	PauseVersion = "3.10.2"
)

var (
	SupportedEtcdVersion = map[uint8]string{
		34: "3.6.5-0",
		35: "3.6.6-0",
		37: "3.7.0-0",
	}
)
"""


@pytest.mark.parametrize(
    ("version", "etcd"),
    # As kubeadm's own EtcdSupportedVersion: the nearest, where its minor version is not there.
    [("1.37.2", "3.7.0-0"), ("1.35.0", "3.6.6-0"), ("1.38.1", "3.7.0-0"), ("1.33.9", "3.6.5-0")],
)
def test_what_kubeadm_asks_for(version: str, etcd: str) -> None:
    assert constants(SOURCE, version, "here") == {"coredns": "v1.14.6", "etcd": etcd, "pause": "3.10.2"}


def test_without_a_table_of_etcd_its_default_counts() -> None:
    text = SOURCE.partition("var (")[0]
    assert constants(text, "1.37.0", "here")["etcd"] == "3.7.0-0"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("<html>not here</html>", "coredns and etcd and pause"),
        (SOURCE.replace("PauseVersion =", "// PauseVersion ="), "pause"),
        (SOURCE.replace('"v1.14.6"', '"v1.14.6/../x"'), "coredns"),
        (SOURCE.replace('"v1.14.6"', "someVersion()"), "coredns"),
    ],
)
def test_what_is_not_said_is_an_error(text: str, missing: str) -> None:
    with pytest.raises(AssembleError, match=f"does not say which {missing} it wants") as caught:
        constants(text, "1.37.0", "https://example.org/constants.go")
    assert caught.value.why == "https://example.org/constants.go"


@given(st.text(alphabet='PauseVrsionCoDNEtcd="v1.0-\n\t {}map[uint8]string:', max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = constants(SOURCE + text, "1.37.0", "x")
    except AssembleError:
        return
    assert set(found) == {"coredns", "etcd", "pause"}
