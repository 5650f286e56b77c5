"""One self-contained HTML file: the page's own parts, and the data put into them.

The parts lie in the folder ``page``: HTML, CSS, and scripts that are joined in the order of
SCRIPTS. Files stand in the page as base64, numbers as JSON. Nothing is fetched: the page's content
security policy forbids it, so that opening a page of a file from anywhere tells nobody.

What comes from files (names, comments) reaches the page as text only, never as markup: JSON is
escaped so that it cannot end its element, and scripts set ``textContent``.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from pyjpegml import __version__
from pyjpegml.decoder import decode_partial
from pyjpegml.errors import JpegError
from pyjpegml.header import read_header
from pyjpegml.huffman import AC, STANDARD_TABLES

from .pixels import Original, original_of, png_bytes
from .variants import COMPARED, Tables, Variant, compared_tables, fitting, make_variants

Pixels = npt.NDArray[np.uint8]

SCRIPTS = (
    "markers.js", "scans.js", "transform.js", "dom.js", "viewer.js", "block.js", "anatomy.js",
    "tables.js", "main.js",
)  # fmt: skip

#: Bytes of a page, of which the original takes so many at most; base64 makes 4 of 3.
MOST_BYTES, MOST_ORIGINAL = 15_000_000, 2_500_000
#: Bytes that the page's own parts and the tables take at most.
OWN_BYTES = 1_500_000


def walkthrough(pixels: Pixels, name: str) -> bytes:
    """The page of a photograph, which shows how files of several qualities are made of it.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3) uint8
    name : str
        What the page calls it.

    Returns
    -------
    bytes
        UTF-8.
    """
    original = original_of(pixels, MOST_ORIGINAL)
    room = (MOST_BYTES - OWN_BYTES) * 3 // 4 - len(original.png)
    variants, left_out = fitting(make_variants(pixels), room)
    tables = compared_tables(pixels)
    return _photo_page(name, pixels.shape, original, variants, left_out, tables)


def _photo_page(
    name: str,
    shape: tuple[int, ...],
    original: Original,
    variants: Sequence[Variant],
    left_out: Sequence[Variant],
    tables: Sequence[Tables],
) -> bytes:
    binaries = {"original": original.png}
    listed = []
    for i, variant in enumerate(variants):
        binaries[f"file-{i}"] = variant.data
        binaries[f"losses-{i}"] = variant.losses
        listed.append(
            {
                "kind": variant.kind,
                "value": variant.value,
                "bytes": len(variant.data),
                "msSsim": variant.ms_ssim,
            }
        )
    facts = {
        "mode": "walkthrough",
        "name": name,
        "width": shape[1],
        "height": shape[0],
        "original": {
            "left": original.left,
            "top": original.top,
            "width": original.width,
            "height": original.height,
        },
        "variants": listed,
        "leftOut": [{"kind": v.kind, "value": v.value, "bytes": len(v.data)} for v in left_out],
        "compared": COMPARED,
        "tables": [
            {
                "name": t.name,
                "about": t.about,
                "bytes": t.size,
                "msSsim": t.ms_ssim,
                "met": t.met,
                "subsampling": t.subsampling,
                "qtables": [table.ravel().tolist() for table in t.qtables],
            }
            for t in tables
        ],
    }
    return render(f"{name}: a JPEG being made", facts, binaries)


def inspection(data: bytes, said: dict[str, Any], name: str) -> bytes:
    """The page of any JPEG, also of one that is damaged or that browsers cannot show.

    Parameters
    ----------
    data : bytes
    said : dict
        What :func:`pyjpegml.inspection.facts` found.
    name : str

    Returns
    -------
    bytes
        UTF-8.

    Raises
    ------
    JpegError
        If not even a header can be read.
    """
    header = read_header(data)
    binaries = {"file-0": data}
    facts: dict[str, Any] = {
        "mode": "inspect",
        "name": name,
        "width": header.width,
        "height": header.height,
        "color": header.color,
        "process": header.process,
        "quality": header.quality,
        "qualityExact": header.quality_exact,
        "problem": said["error"],
        "original": None,
        "variants": [{"kind": "file", "value": 0, "bytes": len(data), "msSsim": None}],
        "leftOut": [],
        "tables": [],
        "standardTables": {
            f"{'AC' if slot >= AC else 'DC'}{slot % AC}": {
                "counts": list(table.bits),
                "symbols": list(table.symbols),
            }
            for slot, table in STANDARD_TABLES.items()
        },
    }
    surely = not _browsers_open(header.process, header.precision)
    if surely or said["error"] or said.get("warnings"):  # what is odd, some browsers do not open
        picture = _decoded(data, header.precision)
        png = b"" if picture is None else png_bytes(picture)
        if png and (surely or len(png) <= MOST_ORIGINAL):
            binaries["decoded"] = png
    facts["opens"] = not surely
    return render(f"{name}: a JPEG taken apart", facts, binaries)


def _browsers_open(process: str, precision: int) -> bool:
    """Whether browsers show such files (``docs/modes.md``)."""
    return precision == 8 and process in ("baseline", "extended sequential", "progressive")


def _decoded(data: bytes, precision: int) -> Pixels | None:
    """The picture in 8 bits as PNG holds them, as far as it is sound; None if nothing is."""
    try:
        picture, _ = decode_partial(data)
    except JpegError:
        return None
    if picture.ndim == 3 and picture.shape[2] != 3:
        picture = picture[:, :, 0]  # two components, or inks: the first
    shift = precision - 8
    return (picture >> shift if shift > 0 else picture << -shift).astype(np.uint8)


def render(title: str, facts: dict[str, Any], binaries: dict[str, bytes]) -> bytes:
    """The page with its data.

    Parameters
    ----------
    title : str
    facts : dict
        Of types that JSON knows.
    binaries : dict of str to bytes
        By the id of the element that holds them, in base64.
    """
    folder = files(__package__) / "page"
    scripts = "\n".join((folder / script).read_text("utf-8") for script in SCRIPTS)
    data = "\n".join(
        f'<script type="text/plain" id="{key}">{base64.b64encode(value).decode()}</script>'
        for key, value in binaries.items()
    )
    text = json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": html.escape(title),
        "version": __version__,
        "style": (folder / "page.css").read_text("utf-8"),
        "data": data,
        "facts": text,
        "scripts": f'"use strict";\n{scripts}',
    }
    page = (folder / "page.html").read_text("utf-8")
    head, *rest = page.split("{{")
    out = [head]
    for piece in rest:
        key, tail = piece.split("}}", 1)
        out += [parts[key], tail]
    return "".join(out).encode()
