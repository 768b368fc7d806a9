"""What the live ISO layer refuses."""

import pytest

from assembler.errors import AssembleError
from assembler.layers.livecd import check_size


def test_an_iso_that_is_too_large_for_its_medium() -> None:
    check_size(1 << 40, "")
    check_size(700 << 20, "700M")
    with pytest.raises(
        AssembleError, match=r"livecd\.medium_size: the ISO is too large for its medium: it has 734003201"
    ):
        check_size((700 << 20) + 1, "700M")
