"""Sphinx configuration: ``sphinx-build -W docs OUT``."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

import pyjpegml
from pyjpegml._jit import Kernel

project = "pyjpegml"
author = "The pyjpegml developers"
copyright = "2026, the pyjpegml developers"
release = version = pyjpegml.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
html_theme = "alabaster"
html_theme_options = {"description": "JPEG in pure Python and Numba", "page_width": "1100px"}
html_static_path: list[str] = []
exclude_patterns = ["_build"]

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: shapes and ranges

os.environ["COLUMNS"] = "95"  # the width of argparse's help, whatever the terminal


def _show_functions_behind_kernels() -> None:
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


def setup(app: Sphinx) -> None:
    """Entry point of Sphinx."""
    _show_functions_behind_kernels()
    app.add_directive("command-help", CommandHelp)


# a short name in a docstring may fit classes of several modules; Sphinx links the first
suppress_warnings = ["ref.python"]
