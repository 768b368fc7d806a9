"""Scripts are carried out as dash does it: programs that nobody tuned for print, end and leave the same."""

from itertools import islice

import pytest

from assembler.shell.streams import Refused
from tests.proofs.shell import evaluated, programs, real
from tests.support.host_commands import need

SLASHES = """\
echo d//* ./d//*.c .//d//three* d///t*c .//*//*.c .//*/ .//*// *//.hid* d// d//none* d//[t]hree.c// on*//
cat .//*//*.c
"""


def test_slashes_in_a_row_stay_in_what_matches() -> None:
    assert evaluated(SLASHES) == real(SLASHES, [need("dash", "dash")])


SEEDS = range(100, 106)
EACH = 500


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_programs_are_carried_out_as_by_dash(seed: int) -> None:
    dash = [need("dash", "dash")]
    compared = 0
    for text in islice(programs(seed), EACH):
        expected = real(text, dash)
        if expected is None:
            continue
        try:
            found = evaluated(text)
        except Refused:
            continue
        compared += 1
        assert found == expected, text
    assert compared > 0.8 * EACH
