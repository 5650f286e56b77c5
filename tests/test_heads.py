"""What stands before the first scan: what components mean is read as it was written."""

from __future__ import annotations

import numpy as np
import pytest

from pyjpegml import markers
from pyjpegml.coefficients import Geometry
from pyjpegml.header import read_header
from pyjpegml.heads import MODELS, file_head, huffman_segments, model_of
from pyjpegml.huffman import STANDARD_TABLES


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize(("sof", "precision"), [(0, 8), (1, 12), (2, 8)])
def test_models_are_read_as_they_are_written(name: str, sof: int, precision: int) -> None:
    model = MODELS[name]
    count = len(model.groups)
    geometry = Geometry(30, 20, [(2, 1), (1, 1), (1, 2), (2, 2)][:count])
    frame = markers.Frame(sof, precision, 20, 30, model.components(geometry))
    tables = [np.full((8, 8), 7 + min(k, 1), np.uint16) for k in range(count)]
    scan = markers.scan_bytes([(i, 0, 0) for i in model.identifiers])
    header = read_header(b"".join([*file_head(frame, tables, model.marker), scan]))
    assert header.color == name
    assert header.precision == precision
    assert [(c.h, c.v) for c in header.components] == list(geometry.sampling)
    assert [c.identifier for c in header.components] == list(model.identifiers)
    assert [int(header.qtables[c.table][0, 0]) for c in header.components] == [7, 8, 8, 8][:count]
    assert len(header.qtables) == min(count, 2)  # equal ones are written once
    assert not header.warnings


def test_components_are_grey_or_ycbcr_if_nothing_is_said() -> None:
    assert model_of(1) is MODELS["grey"]
    assert model_of(3) is MODELS["YCbCr"]


def test_huffman_tables_by_slot() -> None:
    (first, *others) = markers.segments(b"\xff\xd8" + huffman_segments(STANDARD_TABLES))
    found = {}
    for segment in others:
        found |= markers.parse_huffman_tables(segment)
    assert found == STANDARD_TABLES
    assert first.name == "SOI"
