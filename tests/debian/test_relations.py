"""Relation fields."""

import time
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian.relations import Relation, parse_relations
from assembler.errors import AssembleError

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,6}", fullmatch=True)
RELATIONS = st.builds(
    lambda name, qualifier, wanted: Relation(name, wanted[0], wanted[1], qualifier),
    NAMES,
    st.sampled_from(["", "any", "native", "arm64"]),
    st.just(("", ""))
    | st.tuples(st.sampled_from(["<<", "<=", "=", ">=", ">>"]), st.from_regex(r"[0-9][0-9.~+-]{0,5}", fullmatch=True)),
)
GROUPS = st.lists(st.lists(RELATIONS, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)


def test_a_field_of_openssh_server() -> None:
    text = "adduser, libpam-modules, libc6 (>= 2.38), default-logind | logind, perl:any,"
    assert parse_relations(text) == (
        (Relation("adduser"),),
        (Relation("libpam-modules"),),
        (Relation("libc6", ">=", "2.38"),),
        (Relation("default-logind"), Relation("logind")),
        (Relation("perl", qualifier="any"),),
    )


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("foo(>=1)", Relation("foo", ">=", "1")),
        ("foo  ( << 1:2~ )", Relation("foo", "<<", "1:2~")),
        ("foo:any(= 1)", Relation("foo", "=", "1", "any")),
        ("foo (< 1)", Relation("foo", "<=", "1")),
        ("foo (> 1)", Relation("foo", ">=", "1")),
        ("foo (>= 1) [amd64 arm64] <!nocheck> <cross>", Relation("foo", ">=", "1", "", ("amd64", "arm64"))),
        ("\n  foo", Relation("foo")),
    ],
)
def test_ways_of_writing(text: str, relation: Relation) -> None:
    assert parse_relations(text) == ((relation,),)


@given(GROUPS)
def test_what_is_written_is_read_back(groups: tuple[tuple[Relation, ...], ...]) -> None:
    text = ", ".join(" | ".join(map(str, group)) for group in groups)
    assert parse_relations(text) == groups


@given(st.text())
def test_anything_is_read_or_refused(text: str) -> None:
    with suppress(AssembleError):
        assert all(relation.name for group in parse_relations(text) for relation in group)


@pytest.mark.parametrize(
    "text", ["foo (>= )", "foo (>=1", "foo bar", "foo (~ 1)", "| foo", "_", "foo [amd64", "foo<", "foo:[", "foo:"]
)
def test_what_is_no_relation_is_refused_naming_the_package(text: str) -> None:
    with pytest.raises(AssembleError, match=r"^mc: cannot read the package relation"):
        parse_relations(text, package="mc")


def applies_to(relation: Relation, architecture: str) -> bool:
    """Whether the restriction list, if there is one, lets a relation stand on `architecture`.

    Names are compared as they are; wildcards but ``any`` (``linux-any``) match nothing.
    """
    if not relation.architectures:
        return True
    if relation.architectures[0].startswith("!"):
        return f"!{architecture}" not in relation.architectures
    return architecture in relation.architectures or "any" in relation.architectures


def restrict(groups: Iterable[tuple[Relation, ...]], architecture: str) -> tuple[tuple[Relation, ...], ...]:
    """`groups` without what their restriction lists exclude on `architecture`."""
    kept = (tuple(relation for relation in group if applies_to(relation, architecture)) for group in groups)
    return tuple(group for group in kept if group)


def test_restriction_lists() -> None:
    groups = parse_relations("a [amd64] | b [!amd64], c [any], d [!arm64 !amd64], e")
    assert restrict(groups, "amd64") == parse_relations("a [amd64], c [any], e")
    assert restrict(groups, "arm64") == parse_relations("b [!amd64], c [any], e")


@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 200_000 + "x",
        "a (>= " + " " * 200_000,
        "a (= 1" + " " * 200_000 + "x",
        "a" * 200_000 + ":" + "b" * 200_000 + "!",
        "a " + "<x> " * 50_000 + "x",
        "a [" + "b " * 100_000,
        "a (= 1)" * 50_000,
    ],
    ids=lambda text: f"{text[:12]}...",
)
def test_long_nonsense_is_refused_at_once(text: str) -> None:
    """Blanks that two parts of a pattern may take are tried in all ways, unless it says otherwise."""
    began = time.process_time()
    with pytest.raises(AssembleError) as caught:
        parse_relations(text)
    assert time.process_time() - began < 1
    assert len(str(caught.value)) < 1000
