"""What the build of the site does beside Sphinx and Sphinx-Gallery: the explorer's page and its
screenshots, the logo, the help of the command line, and functions in the place of kernels.
"""

from __future__ import annotations

import argparse
import builtins
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util import logging

import pyjpegml
from pyjpegml._jit import Kernel
from pyjpegml.constants import ZIGZAG

HERE = Path(__file__).parent
#: What the build makes; not in the repository.
MADE = HERE / "made"


def set_file(_: dict[str, Any], path: str | Path | None) -> None:
    """Let scripts know where they lie, as they do when they are run alone: Sphinx-Gallery runs them
    without ``__file__``.
    """
    builtins.__file__ = str(path)  # type: ignore[attr-defined]


def prepare() -> None:
    """Make what has to be there when Sphinx looks at its configuration."""
    (MADE / "pages").mkdir(parents=True, exist_ok=True)
    make_logo(MADE / "logo.svg")


def make_logo(path: Path) -> None:
    """The zigzag path through a block, from the mean to the finest pattern."""
    places = (divmod(int(place), 8) for place in ZIGZAG)
    points = " ".join(f"{4 + 8 * column},{4 + 8 * row}" for row, column in places)
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 72 72">'
        '<rect x="-4" y="-4" width="72" height="72" rx="14" fill="#0b5fad"/>'
        f'<polyline points="{points}" fill="none" stroke="#fff" stroke-width="3.2" '
        'stroke-linejoin="round" stroke-linecap="round"/></svg>\n',
        "utf-8",
    )


def make_explorer(_: Sphinx) -> None:
    """The explorer's page of the photograph, and what it looks like."""
    from screenshots import OUT, make_page, make_screenshots

    page = MADE / "pages" / "coffee.html"
    make_page(page)
    why_not = make_screenshots(page, MADE)
    if why_not:
        logging.getLogger(__name__).info("screenshots are those of the repository: %s", why_not)
        for picture in OUT.iterdir():
            shutil.copy(picture, MADE)


def show_functions_behind_kernels(_: Sphinx) -> None:
    """autodoc documents functions; a Kernel object is one only when it is called."""
    for path in Path(pyjpegml.__file__).parent.glob("*.py"):
        if path.stem == "__main__":
            continue
        module = import_module(f"pyjpegml.{path.stem}" if path.stem != "__init__" else "pyjpegml")
        for name, value in list(vars(module).items()):
            if isinstance(value, Kernel):
                setattr(module, name, value.py_func)


class CommandHelp(Directive):
    """``.. command-help:: NAME``: what ``pyjpegml NAME --help`` prints."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        from pyjpegml.cli import build_parser

        parser = build_parser()
        if self.arguments:
            [commands] = [
                action
                for action in parser._actions
                if isinstance(action, argparse._SubParsersAction)
            ]
            parser = commands.choices[self.arguments[0]]
        text = parser.format_help()
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Entry point of Sphinx."""
    app.connect("builder-inited", make_explorer, priority=400)
    # behind the gallery (500), whose chapters need the kernels themselves
    app.connect("builder-inited", show_functions_behind_kernels, priority=900)
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": False}
