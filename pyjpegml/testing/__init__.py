"""Property-based testing of JPEG codecs: streams that are known to the last bit, and damaged ones.

Needs Hypothesis (``pip install pyjpegml[testing]``). Nothing here imports the codec or Numba.

Examples
--------
A decoder of coefficients, held to whatever T.81 allows::

    from hypothesis import given
    from pyjpegml.testing import corrupted, jpeg_streams

    @given(jpeg_streams(processes=["progressive"]))
    def test_coefficients(stream):
        for got, expected in zip(decode_coefficients(stream.data), stream.coefficients):
            assert (got == expected).all()

    @given(corrupted())
    def test_damaged_files_do_no_harm(damaged):
        try:
            decode(damaged.data)
        except JpegError:
            assert damaged.verdict != "same"
        else:
            assert damaged.verdict != "error"
"""

from __future__ import annotations

from .content import coefficients, make_legal
from .faults import FAULTS, corrupted
from .images import encode_options, images, metadata
from .long_runs import long_runs
from .parameters import huffman_tables, qtables, sampling_factors, scan_scripts
from .sets import example, examples, export, shrink
from .stream import (
    PROCESSES,
    Component,
    Corrupted,
    Fault,
    Frame,
    HuffmanTable,
    Part,
    Scan,
    Segments,
    Stream,
)
from .streams import FEATURES, jpeg_streams
from .tables import Coding
from .traits import TRAITS
from .writer import Content, Layout, write_stream

__all__ = [
    "FAULTS",
    "FEATURES",
    "PROCESSES",
    "TRAITS",
    "Coding",
    "Component",
    "Content",
    "Corrupted",
    "Fault",
    "Frame",
    "HuffmanTable",
    "Layout",
    "Part",
    "Scan",
    "Segments",
    "Stream",
    "coefficients",
    "corrupted",
    "encode_options",
    "example",
    "examples",
    "export",
    "huffman_tables",
    "images",
    "jpeg_streams",
    "long_runs",
    "make_legal",
    "metadata",
    "qtables",
    "sampling_factors",
    "scan_scripts",
    "shrink",
    "write_stream",
]
