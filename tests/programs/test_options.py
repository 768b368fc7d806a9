"""Options as getopt_long(3) and Getopt::Long read them."""

import pytest

from assembler.programs.options import UsageError, parse_options

SPECIFICATION = "gid|g= groups= force|f quiet|q key|K="


def parsed(*arguments: str, single_dash: bool = False) -> tuple[dict[str, str], list[str]]:
    return parse_options(arguments, SPECIFICATION, program="prog", single_dash=single_dash, repeated={"key"})


@pytest.mark.parametrize(
    ("arguments", "options", "rest"),
    [
        ("-g 4 x", {"gid": "4"}, "x"),
        ("-g4 x", {"gid": "4"}, "x"),
        ("-fqg4 x -- -y z", {"force": "", "quiet": "", "gid": "4"}, "x -y z"),
        ("-qf", {"quiet": "", "force": ""}, ""),
        ("--gid=4 --gid 5 x", {"gid": "5"}, "x"),
        ("--gid= x", {"gid": ""}, "x"),
        ("--g 4 --gi=3", {"gid": "3"}, ""),
        ("--gr=a --qui", {"groups": "a", "quiet": ""}, ""),
        ("x - --f y", {"force": ""}, "x - y"),
        ("--key a --key b -K c", {"key": "a\nb\nc"}, ""),
        ("--key a", {"key": "a"}, ""),
        ("-g -4", {"gid": "-4"}, ""),
    ],
)
def test_read(arguments: str, options: dict[str, str], rest: str) -> None:
    assert parsed(*arguments.split()) == (options, rest.split())


def test_one_dash_is_enough_for_some() -> None:
    assert parsed("-gid", "4", "-force", "x", single_dash=True) == ({"gid": "4", "force": ""}, ["x"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-x", "prog: unknown option 'x'"),
        ("-fx", "prog: unknown option 'x'"),
        ("--none", "prog: unknown option 'none'"),
        ("--forced", "prog: unknown option 'forced'"),
        ("--G 4", "prog: unknown option 'G'"),
        ("--force=yes", "prog: option 'force' takes no value"),
        ("--force=", "prog: option 'force' takes no value"),
        ("-g", "prog: option 'gid' needs a value"),
        ("x --gid", "prog: option 'gid' needs a value"),
    ],
)
def test_refused(arguments: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments.split())
    assert caught.value.what == message
    assert caught.value.why == arguments


def test_a_name_that_may_be_one_of_two_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown option 'fo'"):
        parse_options(["--fo"], "force follow", program="prog")
