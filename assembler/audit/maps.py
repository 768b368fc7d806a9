"""Treemaps as HTML: one view of each part that is worth it, with links from view to view and a table beside each.

There is no script: CSS shows the view that the address names after ``#``, and otherwise the first. Each rectangle has a
place for narrow windows and one for wide ones; heights are pixels, and widths per cent, so letters keep their size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from assembler.audit.compare import Change, Comparison
from assembler.audit.inventory import Item
from assembler.audit.markup import count, growth, size, text
from assembler.audit.treemap import Box, Node, Part, add_up, squarify

FRAMES = ((358.0, 480.0), (1088.0, 560.0))
"""Width and height of a map in pixels, in narrow windows and wide ones; report.css has the same heights."""
_HEAD, _EDGE = 22.0, 2.0
"""Pixels for the name of a rectangle with others inside, and around these."""
_AREA = 420.0
"""Square pixels below which the smallest are one rectangle."""
_INSIDE = (60.0, 90.0)
"""Pixels that a rectangle's inside is wide and high at least, level by level, if there are others in it."""
_WORTH = 0.006
"""The share of the whole from which on a part has a view of its own; those of the first level always have."""
_ROWS, _MORE = 8, 80
"""Rows of a table that are shown, and further ones that can be."""


def by_package(found: Comparison, old: Iterable[Item] | None, new: Iterable[Item]) -> Part:
    """All files by layer, package and directory."""
    return _whole("image", found, old, new, _by_package)


def by_directory(found: Comparison, old: Iterable[Item] | None, new: Iterable[Item]) -> Part:
    """The files of the root file system by directory."""
    return _whole("/", found, old, new, lambda it: _directories(it.path) if it.layer == "rootfs" else [])


def _whole(
    name: str,
    found: Comparison,
    old: Iterable[Item] | None,
    new: Iterable[Item],
    place: Callable[[Item | Change], list[str]],
) -> Part:
    root = Node(name)
    for item in old or ():
        if names := place(item):
            root.at(*names).before += item.size
    for item in new:
        if names := place(item):
            root.at(*names).size += item.size
    for change in found.changes:
        if names := place(change):
            root.at(*names).changes += 1
    return add_up(root)


def _by_package(it: Item | Change) -> list[str]:
    match it.layer:
        case "rootfs":
            directory, _, name = it.path.rpartition("!")[2].rpartition("/")
            return [it.layer, it.package or "no package", directory or "/", name]
        case "kernel":
            return [it.layer]
        case "iso" | "initrd":
            return [it.layer, *_directories(it.path)]
    return []  # another file beside an ISO


def _directories(path: str) -> list[str]:
    return [part for part in path.rpartition("!")[2].split("/") if part]


def figure(root: Part, prefix: str, *, compared: bool) -> Iterator[str]:
    """The maps of `root` and its parts, each with a table; `prefix` makes its addresses on the page unlike others'.

    Without `compared`, nothing is known of the older image.
    """
    yield from _Views(root, prefix, compared=compared).html()


@dataclass(frozen=True, slots=True)
class _View:
    name: str
    way: tuple[tuple[str, str], ...]
    """Address and name of every part that it is in."""
    part: Part


class _Views:
    def __init__(self, root: Part, prefix: str, *, compared: bool) -> None:
        self._compared = compared
        self._names: dict[int, str] = {}
        self._views: list[_View] = []
        self._least = root.size * _WORTH
        self._prefix = prefix
        self._find(root, ())

    def _find(self, part: Part, way: tuple[tuple[str, str], ...]) -> None:
        """Give a view to `part` and all parts of it that are worth one."""
        name = f"{self._prefix}{len(self._views)}"
        self._names[id(part)] = name
        self._views.append(_View(name, way, part))
        for child in part.children:
            if child.children and child.size and (child.size >= self._least or not way):
                self._find(child, (*way, (name, part.name)))

    def html(self) -> Iterator[str]:
        yield '<div class="views">'
        # The first one is the last, so that a view that is shown can hide it: a selector reaches forward only.
        first, *others = self._views
        for view in (*others, first):
            yield f'<section class="view{" first" if view is first else ""}" id="{view.name}">'
            steps = "".join(f'<a href="#{name}">{text(label)}</a> / ' for name, label in view.way)
            yield f'<p class="way">{steps}<b>{text(view.part.name)}</b> {size(view.part.size)}</p>'
            label = f"map of {view.part.name}, {size(view.part.size)}"
            yield f'<div class="map" role="group" aria-label="{text(label)}">'
            yield from self._cells(view.part, FRAMES)
            yield "</div>"
            yield from self._table(view.part)
            yield "</section>"
        yield "</div>"

    # --- rectangles

    def _cells(self, part: Part, frames: Sequence[tuple[float, float]], level: int = 0) -> Iterator[str]:
        parts = _grouped(part, min(width * height for width, height in frames))
        layouts = [squarify([each.size for each in parts], *frame) for frame in frames]
        for child, *boxes in zip(parts, *layouts, strict=True):
            room = [(box.width - 2 * _EDGE, box.height - _HEAD - _EDGE) for box in boxes]
            label = f"<b>{text(child.name)}</b> <i>{size(child.size)}</i>"
            about = f'style="{self._style(child, boxes, frames)}" title="{text(self._title(child))}"'
            name = self._names.get(id(child))
            tag, link = ("a", f' href="#{name}"') if name else ("span", "")
            kind = self._kind(child)
            if child.children and level < len(_INSIDE) and min(map(min, room)) >= _INSIDE[level]:
                yield f'<div class="cell group {kind}" {about}><{tag} class="head"{link}>{label}</{tag}>'
                yield '<div class="in">'
                yield from self._cells(child, room, level + 1)
                yield "</div></div>"
            else:
                yield f'<{tag} class="cell {kind}" {about}{link}>{label}</{tag}>'

    def _style(self, part: Part, boxes: Iterable[Box], frames: Iterable[tuple[float, float]]) -> str:
        """Where a rectangle is, and how much of it differs: the custom properties that report.css reads."""
        values: dict[str, float] = {}
        for box, (width, _), names in zip(boxes, frames, ("xywh", "XYWH"), strict=True):
            places = (100 * box.x / width, box.y, 100 * box.width / width, box.height)
            values.update(zip(names, places, strict=True))
        if self._kind(part) == "other":
            values["t"] = 100 * part.touched / part.size
        return ";".join(f"--{name}:{round(value, 2):g}" for name, value in values.items())

    def _title(self, part: Part) -> str:
        since = self._since(part)
        return f"{part.name}: {size(part.size)}" + (f", {since}" if since else "")

    def _kind(self, part: Part) -> str:
        if not self._compared or not (part.changes or part.size != part.before):
            return "same"
        return "other" if part.before else "new"

    def _since(self, part: Part) -> str:
        """What there is to say about the time since the older image; empty for nothing."""
        if self._kind(part) == "same":
            return ""
        if not part.size and part.before:
            return f"gone, was {size(part.before)}"
        if part.size and not part.before:
            return "new"
        if part.size != part.before:
            return growth(part.before, part.size)
        return f"{count(part.changes, 'path')} changed"

    # --- tables

    def _table(self, part: Part) -> Iterator[str]:
        rows = [each for each in part.children if each.size or each.before or each.changes]
        if not rows:
            return
        yield from self._rows(rows[:_ROWS], part.size)
        if len(rows) > _ROWS:
            rest = rows[_ROWS:]
            total = size(sum(each.size for each in rest))
            yield f'<details class="more"><summary>{len(rest):,} more, {total}</summary>'
            yield from self._rows(rest[:_MORE], part.size)
            if len(rest) > _MORE:
                total = size(sum(each.size for each in rest[_MORE:]))
                yield f"<p>{len(rest) - _MORE:,} smaller ones are not shown, {total}.</p>"
            yield "</details>"

    def _rows(self, rows: Sequence[Part], whole: int) -> Iterator[str]:
        yield '<table class="sizes">'
        for row in rows:
            name = self._names.get(id(row))
            label = f'<a href="#{name}">{text(row.name)}</a>' if name else text(row.name)
            share = 100 * row.size / whole if whole else 0
            yield f'<tr class="{self._kind(row)}"><td style="--share:{share:.1f}%">{label}</td>'
            since = self._since(row)
            yield f"<td>{size(row.size)}{f' <small>{since}</small>' if since else ''}</td></tr>"
        yield "</table>"


def _grouped(part: Part, room: float) -> list[Part]:
    """The children of `part` that have a size, with the smallest as one if they would be too small in `room`."""
    parts = sorted((child for child in part.children if child.size), key=lambda child: -child.size)
    total = sum(child.size for child in parts)
    shown = [child for child in parts if child.size * room >= total * _AREA]
    small = parts[len(shown) :] if len(shown) + 1 < len(parts) else []
    if not small:
        return parts
    rest = Part(
        f"{len(small):,} smaller",
        sum(child.size for child in small),
        sum(child.before for child in small),
        sum(child.changes for child in small),
        sum(child.touched for child in small),
        (),
    )
    return sorted([*shown, rest], key=lambda child: -child.size)
