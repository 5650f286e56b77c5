"""The encoder's inner loop against the stages one by one, which it must equal to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import KINDS, SUBSAMPLINGS, picture, run_python
from hypothesis import given
from hypothesis import strategies as st

import pyjpegml
from pyjpegml import assembly, encoder, fused, pieces
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.quantize import standard_qtables


def by_stages(
    image: np.ndarray, quality: int, subsampling: str, optimize: bool, interval: int
) -> bytes:
    """Colour, downsampling, DCT, quantization and coding, each over whole planes."""
    geometry, coefficients = encoder.analyse(image, FACTORS[subsampling])
    luma, chroma = standard_qtables(quality)
    tables = [luma, chroma, chroma][: len(geometry.planes)]
    quantized = encoder.quantize_all(geometry, coefficients, tables)
    return assembly.assemble(
        geometry, quantized, tables, optimize=optimize, restart_interval=interval
    )


@given(
    st.builds(
        picture,
        st.sampled_from(sorted(KINDS)),
        st.tuples(st.integers(1, 80), st.integers(1, 150), st.sampled_from([1, 3])),
        st.integers(0, 2**32 - 1),
    ),
    st.integers(1, 100), st.sampled_from(SUBSAMPLINGS), st.booleans(),
    st.sampled_from([0, 0, 1, 2, 3, 7, 100]),
)  # fmt: skip
def test_fused_is_by_stages(
    image: np.ndarray, quality: int, subsampling: str, optimize: bool, interval: int
) -> None:
    image = image[..., 0].copy() if image.shape[2] == 1 else image
    data = pyjpegml.encode(
        image, quality=quality, subsampling=subsampling, optimize=optimize,
        restart_interval=interval,
    )  # fmt: skip
    assert data == by_stages(image, quality, subsampling, optimize, interval)


@given(
    st.sampled_from(sorted(KINDS)), st.tuples(st.integers(1, 120), st.integers(1, 150)),
    st.integers(0, 2**32 - 1), st.sampled_from([5, 75, 100]),
    st.sampled_from([*SUBSAMPLINGS, "grey"]), st.booleans(), st.sampled_from([0, 0, 1, 2, 3, 7, 100]),
    st.integers(2, 4), st.sampled_from([1, 30, 100]),
)  # fmt: skip
def test_segments_are_joined(
    kind: str, size: tuple[int, int], seed: int, quality: int, name: str, optimize: bool,
    interval: int, threads: int, blocks: int,
) -> None:  # fmt: skip
    """By several threads, in pieces of few blocks: the same bytes."""
    image = picture(kind, (*size, 3), seed)
    options = {"quality": quality, "optimize": optimize, "restart_interval": interval}
    if name == "grey":
        image = image[..., 0].copy()
    else:
        options["subsampling"] = name
    whole = pyjpegml.encode(image, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BLOCKS", blocks)
        patch.setattr(pieces, "THREAD_PIXELS", 1)
        assert pyjpegml.encode(image, threads=threads, **options) == whole


def test_many_pieces(photo: np.ndarray) -> None:
    """More blocks than are coded in one go, and more bytes than are stuffed in one go."""
    image = np.tile(photo[:200, :300], (3, 3, 1))
    for optimize in (False, True):
        data = pyjpegml.encode(image, quality=98, subsampling="4:4:4", optimize=optimize)
        assert data == by_stages(image, 98, "4:4:4", optimize, 0)


def test_scratch_is_of_the_stated_size() -> None:
    planes = fused.new_planes()
    assert planes.line.ctypes.data == planes.line_again.ctypes.data
    assert not planes.line_again.flags.writeable
    assert planes.full.shape == (3, 16 * fused.CHUNK)


def test_every_load_and_store_is_in_range() -> None:
    """With bounds checks, which vector functions have too: nothing is raised, nothing differs."""
    script = """
import sys, hashlib
import numpy as np, pyjpegml
rng = np.random.default_rng(0)
made = hashlib.sha256()
for size in [(1, 1), (8, 64), (9, 65), (16, 128), (17, 127), (33, 31), (64, 64), (15, 200)]:
    for subsampling in ["4:4:4", "4:2:2", "4:2:0", "4:4:0", None]:
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        options = {"subsampling": subsampling} if subsampling else {}
        image = image if subsampling else image[..., 0].copy()
        for quality in (10, 75, 100):
            for optimize in (False, True):
                made.update(pyjpegml.encode(image, quality=quality, optimize=optimize, **options))
print(made.hexdigest())
"""
    checked = run_python(script, NUMBA_BOUNDSCHECK="1").stdout
    assert checked == run_python(script).stdout
