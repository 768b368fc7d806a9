"""The site of the documentation, made by ``scripts/docs`` with Sphinx.

Its source is the whole checkout, so that links between pages are the same here and on a forge.
"""

import tomllib
from pathlib import Path

from sphinx.application import Sphinx

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]

project = _PROJECT["name"]
release = version = _PROJECT["version"]
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "assembler", "build", "initramfs", "out*", "recipes", "scripts", "tests"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "alabaster"
html_theme_options = {
    "description": _PROJECT["description"],
    "fixed_sidebar": True,
    "font_size": "15px",
    "page_width": "82em",
    "sidebar_width": "17em",
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "index.html"}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
templates_path = ["_templates"]

_PARTS = {
    "Using it": (
        "docs/install",
        "docs/building",
        "docs/recipe",
        "docs/archives",
        "docs/lock",
        "docs/live",
        "docs/seeds",
        "docs/command-line",
    ),
    "Parts of an image": (
        "docs/configuration",
        "docs/scripts",
        "docs/additions",
        "docs/kernel",
        "docs/initrd",
        "docs/kubernetes",
        "docs/disks",
    ),
    "Trust": ("docs/verifying", "SECURITY", "docs/threats", "docs/secrets", "docs/reproducible"),
    "Working on it": ("CONTRIBUTING", "docs/architecture", "docs/changing", "CHANGELOG"),
    "Measured": ("docs/comparison", "docs/bench", "docs/packages", "docs/draws", "docs/sweep", "docs/fuzzing"),
}


def _list_pages(app: Sphinx, name: str, source: list[str]) -> None:  # noqa: ARG001  Sphinx gives all three
    """Put the table of contents where a forge, which has none, need not show it."""
    if name == root_doc:
        for caption, pages in _PARTS.items():
            source[0] += "\n```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _list_pages)
