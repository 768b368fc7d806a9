"""YAML from strangers: what cloud-init's own loader takes (YAML 1.1, PyYAML), within bounds.

Aliases, merge keys and nesting make much of little, and PyYAML's constructors end in all kinds of exceptions for a tag
and a value that do not go together. Here each of these is a :class:`YamlError`, in time that grows with the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value."""

DEEPEST = 64
"""Mappings and lists within one another in a YAML document."""
LONGEST_NUMBER = 64
"""Characters of a whole number in YAML."""
MOST_VALUES = 50_000
"""Values in a YAML document, where each alias counts as all that it stands for."""


class _Loader(yaml.SafeLoader):
    """cloud-init's own loader, within bounds: aliases, merge keys and nesting can make much of little."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0
        self._merged = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(
                None, None, f"values are nested too deeply: {DEEPEST} levels are read", mark
            )
        if self._nodes > MOST_VALUES:
            raise yaml.composer.ComposerError(None, None, f"it has more than {MOST_VALUES} values", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        self._merged += len(node.value)
        if self._merged > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"its merge keys make more than {MOST_VALUES} values", node.start_mark
            )

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(None, None, "a number is too long", node.start_mark)
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


class YamlError(ValueError):
    """A text is no YAML, or more than is read; `line` and `column` are 1-based, or 0 where they are unknown."""

    def __init__(self, what: str, why: str, mark: yaml.Mark | None = None, key: str = "") -> None:
        super().__init__(why)
        self.what = what
        self.why = why
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0
        self.key = key


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML document with where its values stand."""

    value: Any
    """None when it is empty."""
    positions: Mapping[Path, tuple[int, int]]
    """Line and column, 1-based, of each value by the keys and indices that lead to it; of one in a mapping, those of
    its key."""

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column of the value at `path`, or of the nearest around it that has some; (0, 0) for none."""
        while path not in self.positions and path:
            path = path[:-1]
        return self.positions.get(path, (0, 0))


def loads(text: str) -> Any:
    """The value of the only document in `text`, None when it is empty. Raises YamlError, also for a key given twice."""
    return located(text).value


def located(text: str) -> Located:
    """The only document in `text`, with where its values stand. Raises YamlError, also for a key given twice."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Located(None, {})
        _unique_keys(node)
        _check_aliases(node)
        # Before the value is made: making it changes mappings with merge keys.
        positions = _positions(node)
        return Located(loader.construct_document(node), positions)
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        raise YamlError("not valid YAML", error.problem or "", error.problem_mark or error.context_mark) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        raise YamlError("not valid YAML", str(error).split("\n", 1)[0]) from error
    except RecursionError as error:
        raise YamlError("not valid YAML", "values are nested too deeply") from error
    except (AttributeError, LookupError, TypeError, ArithmeticError) as error:  # as for `!!bool x`
        raise YamlError("not valid YAML", "a value is not what its tag says") from error


def _check_aliases(top: yaml.Node) -> None:
    """Raise YamlError for values that hold themselves, and for few that stand for very many."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    pending: list[tuple[yaml.Node, bool]] = [(top, False)]
    while pending:
        node, done = pending.pop()
        inside = _children(node)
        if done:
            open_nodes.discard(id(node))
            # No more than is needed: the numbers themselves could become too large.
            sizes[id(node)] = min(1 + sum(sizes[id(child)] for child in inside), MOST_VALUES + 1)
        elif id(node) in open_nodes:
            raise YamlError("not valid YAML", "the value holds an alias of itself", node.start_mark)
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            pending.append((node, True))
            pending += ((child, False) for child in inside if id(child) not in sizes)
    if sizes[id(top)] > MOST_VALUES:
        raise YamlError("not valid YAML", f"its aliases stand for more than {MOST_VALUES} values")


def _positions(top: yaml.Node) -> dict[Path, tuple[int, int]]:
    """Where each value stands; of an alias, where what it stands for does. Merge keys have none of their own."""
    found: dict[Path, tuple[int, int]] = {}
    pending: list[tuple[Path, yaml.Node, yaml.Mark]] = [((), top, top.start_mark)]
    while pending:
        path, node, mark = pending.pop()
        found[path] = (mark.line + 1, mark.column + 1)
        if isinstance(node, yaml.SequenceNode):
            pending += (((*path, index), item, item.start_mark) for index, item in enumerate(node.value))
        elif isinstance(node, yaml.MappingNode):
            pending += (
                ((*path, key.value), value, key.start_mark)
                for key, value in node.value
                if isinstance(key, yaml.ScalarNode) and key.tag == "tag:yaml.org,2002:str"
            )
    return found


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _unique_keys(top: yaml.Node) -> None:
    pending, seen = [top], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if (key.tag, key.value) in keys:
                        raise YamlError(
                            "the key is given twice", "only the last would count", key.start_mark, key.value
                        )
                    keys.add((key.tag, key.value))
                pending.append(value)
