"""Sphinx configuration: ``sphinx-build -W docs OUT``.

The chapters in ``examples/`` and the guides in ``docs/how_to/`` are run, and their pictures are
those of the pages; ``-D plot_gallery=0`` does without. What else the build makes is in
``building.py``, beside this file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from building import prepare

import pyjpegml

prepare()

project = "pyjpegml"
author = "The pyjpegml developers"
copyright = "2026, the pyjpegml developers"
release = version = pyjpegml.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "building",
]
exclude_patterns = ["_build", "made", "how_to", "**/*.codeobj.json"]

html_theme = "pydata_sphinx_theme"
html_title = "pyjpegml"
html_logo = html_favicon = "made/logo.svg"
html_theme_options = {
    "logo": {"text": "pyjpegml"},
    "navbar_align": "left",
    "show_toc_level": 2,
    "footer_end": [],
    "footer_start": ["copyright"],
}
html_sidebars = {"changelog": [], "getting_started": []}
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["made/pages"]

sphinx_gallery_conf = {
    "examples_dirs": ["../examples", "how_to"],
    "gallery_dirs": ["gallery", "guides"],
    "filename_pattern": r"\.py$",  # all of them are run
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "building.set_file"),
    "abort_on_example_error": True,
    # each is a file of the repository, and needs its photograph: no notebooks, no archives
    "notebook_extensions": set(),
    "download_all_examples": False,
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("pyjpegml",),
    "image_srcset": ["2x"],
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": float("inf"),
}

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: shapes and ranges

linkcheck_timeout = 30
linkcheck_retries = 2

os.environ["COLUMNS"] = "95"  # the width of argparse's help, whatever the terminal

# a short name in a docstring may fit classes of several modules; Sphinx links the first
suppress_warnings = ["ref.python"]
