"""What Linux can hold: the last that is taken and the first that is not."""

import pytest

from assembler.errors import AssembleError, Place
from assembler.tree.bounds import check_owner, unfit


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", ""),
        ("/" + "n" * 255, ""),
        ("/" + "n" * 256, "a name of 256 bytes, and the longest has 255"),
        ("/a/" + "\U0001f427" * 63 + "/b", ""),
        ("/a/" + "\U0001f427" * 64 + "/b", "a name of 256 bytes, and the longest has 255"),
        ("/" + "\udcff" * 255, ""),
        ("/" + "\udcff" * 256, "a name of 256 bytes, and the longest has 255"),
        ("/a" * 256, ""),
        ("/a" * 257, "a path of 257 names, and the deepest has 256"),
        (("/" + "n" * 254) * 16 + "/" + "n" * 14, ""),
        (("/" + "n" * 254) * 16 + "/" + "n" * 15, "a path of 4096 bytes, and the longest has 4095"),
    ],
)
def test_paths(path: str, why: str) -> None:
    assert unfit(path) == why


def test_owners() -> None:
    where = Place(path="/x")
    for number in (0, 1, (1 << 32) - 2):
        assert check_owner(number, where, AssembleError) == number
    for number in (-1, (1 << 32) - 1):
        with pytest.raises(AssembleError, match="does not fit into 32 bits") as caught:
            check_owner(number, where, AssembleError)
        assert caught.value.where == where
        assert caught.value.why == f"{number} is not within 0 to 4294967294"
