"""A layer's key changes exactly when one of its inputs does."""

import pytest

from assembler.image.keys import digest, key
from assembler.recipe.model import Livecd


def test_the_same_inputs_give_the_same_key_in_any_order() -> None:
    assert key(a=1, b=Livecd(), c=b"x") == key(c=b"x", b=Livecd(), a=1)


def test_every_input_counts() -> None:
    keys = {
        key(a=1, b=Livecd()),
        key(a=2, b=Livecd()),
        key(a=1, b=Livecd(timeout=9)),
        key(a=1, b=Livecd(), c=None),
        key(a=1, b=b"x"),
        key(a=1, b=b"y"),
    }
    assert len(keys) == 6


def test_what_has_no_fixed_value_is_refused() -> None:
    with pytest.raises(TypeError):
        key(a=object())


def test_a_digest_is_the_same_for_every_version_of_the_code() -> None:
    assert digest(a=1, b=b"x") == "15ea4e96d9ba05864559270a5f5baf1d24db42375e92079d8a484ec0fcb574ab"
    assert digest(a=1) != key(a=1)
