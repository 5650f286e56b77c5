"""From coefficients to pixels for deep samples: against the formulae, and libjpeg-turbo."""

from __future__ import annotations

import csv
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import CONFORMANCE, natural, run_python
from hypothesis import given
from hypothesis import strategies as st

from pyjpegml import bitio, deep, markers, scan
from pyjpegml._simd_numpy import NumpyVector
from pyjpegml.coefficients import Geometry
from pyjpegml.huffman import decoding_tables

Array = npt.NDArray[np.uint16]
Coefficients = npt.NDArray[np.int16]
Qtables = list[npt.NDArray[np.int32]]

# --- a small decoder of 12-bit files --------------------------------------------------------------


def paint(geometry: Geometry, coefficients: Coefficients, qtables: Qtables, color: str) -> Array:
    """Coefficients of all components to pixels: `color` is YCbCr, YCCK or that of the components."""
    planes = []
    for i, plane in enumerate(geometry.planes):
        samples = np.empty((8 * plane.down, 8 * plane.across), np.uint16)
        deep.reconstruct(
            geometry.view(coefficients, i), plane.down, plane.across, qtables[i], samples
        )
        across, down = geometry.h_max // plane.h, geometry.v_max // plane.v
        if (across, down) != (1, 1):
            full = np.empty((down * plane.height, across * plane.width), np.uint16)
            deep.upsample(samples, plane.width, plane.height, across, down, full)
            samples = full
        planes.append(samples)
    height, width, count = geometry.height, geometry.width, len(planes)
    if color in ("YCbCr", "YCCK"):
        flip = 4095 if color == "YCCK" else 0
        deep.ycbcr_to_rgb(*planes[:3], 12, width, height, flip)
    out = np.empty((height, width * count), np.uint16)
    for i, samples in enumerate(planes):
        deep.place(samples, 1, 1, 0, out, i, count)
    return out if count == 1 else out.reshape(height, width, count)


def decode(data: bytes) -> Array:
    """A sequential 12-bit file of one scan."""
    huffman, steps = {}, {}
    restart, jfif, adobe = 0, False, None
    for segment in markers.segments(data):
        if markers.is_frame(segment.code):
            frame = markers.parse_frame(segment)
        elif segment.code == markers.DHT:
            huffman |= markers.parse_huffman_tables(segment)
        elif segment.code == markers.DQT:
            steps |= markers.parse_qtables(segment)
        elif segment.code == markers.DRI:
            restart = markers.parse_restart_interval(segment)
        elif segment.code == markers.SOS:
            header, start = markers.parse_scan(segment), segment.end
        jfif = jfif or markers.is_jfif(segment)
        adobe = markers.adobe_transform(segment) if segment.code == markers.APP14 else adobe
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    plan = geometry.scan_plan([(dc, ac) for _, dc, ac in header.components])
    source = np.frombuffer(data, np.uint8)
    plain = np.empty(source.size - start + bitio.PADDING, np.uint8)
    ends, numbers, offsets = np.zeros((3, geometry.mcus + 1), np.int64)
    bitio.destuff(source, start, plain, ends, numbers, offsets)
    coefficients = np.zeros(geometry.size, np.int16)
    extents, reader = np.zeros(geometry.size // 64, np.uint8), np.zeros(9, np.int64)
    for row in range(geometry.mcus_down):
        assert scan.decode_mcus(
            plain, ends, restart, geometry.mcus, plan, row, 0, geometry.mcus_across, scan.PLACES,
            *decoding_tables(huffman), reader, coefficients, extents,
        ) == scan.OK  # fmt: skip
    qtables = [steps[c.table].astype(np.int32).reshape(64) for c in frame.components]
    color = ""
    if len(frame.components) == 3 and (jfif or adobe != 0):
        color = "YCbCr"
    if len(frame.components) == 4 and adobe == 2:
        color = "YCCK"
    return paint(geometry, coefficients, qtables, color)


# --- files made by hand ---------------------------------------------------------------------------

#: 16 codes of 5 bits; and all runs and sizes, in 8 bits.
DC = ((0, 0, 0, 0, 16) + (0,) * 11, bytes(range(16)))
AC_SYMBOLS = bytes([0, 0xF0] + [16 * run + size for run in range(16) for size in range(1, 16)])
AC = ((0, 0, 0, 0, 0, 0, 0, 242) + (0,) * 8, AC_SYMBOLS)


def file_of(
    geometry: Geometry,
    coefficients: Coefficients,
    steps: Sequence[npt.NDArray[np.int64]],
    adobe: int | None = None,
) -> bytes:
    """A 12-bit extended sequential file of these quantized coefficients; steps in natural order."""

    def segment(code: int, payload: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload

    count = len(geometry.planes)
    out = b"\xff\xd8"
    if adobe is not None:
        out += segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, adobe]))
    head = struct.pack(">BHHB", 12, geometry.height, geometry.width, count)
    for i, table in enumerate(steps):
        out += segment(0xDB, bytes([0x10 | i]) + table[oracles.ZIGZAG].astype(">u2").tobytes())
        head += bytes([i + 1, geometry.planes[i].h << 4 | geometry.planes[i].v, i])
    out += segment(0xC1, head)
    for slot, (bits, symbols) in ((0, DC), (16, AC)):
        out += segment(0xC4, bytes([slot, *bits]) + symbols)
    out += segment(
        0xDA, bytes([count]) + b"".join(bytes([i + 1, 0]) for i in range(count)) + b"\0\x3f\0"
    )
    sampling = [(plane.h, plane.v) for plane in geometry.planes]
    mcus = [
        [
            (i, geometry.view(coefficients, i)[row, column].tolist() if real else None)
            for i, row, column, real in mcu
        ]
        for mcu in oracles.mcu_blocks(geometry.width, geometry.height, sampling)
    ]
    codes = {
        (i, kind): oracles.canonical_codes(*table)
        for i in range(count)
        for kind, table in (("DC", DC), ("AC", AC))
    }
    return out + oracles.encode_scan(mcus, codes) + b"\xff\xd9"


def legal(geometry: Geometry, steps: Sequence[npt.NDArray[np.int64]], seed: int) -> Coefficients:
    """Quantized coefficients of pictures: noise, extremes or flat, another in each block."""
    rng = np.random.default_rng(seed)
    coefficients = np.zeros(geometry.size, np.int16)
    for i, plane in enumerate(geometry.planes):
        view = geometry.view(coefficients, i)[: plane.down, : plane.across]
        shape = (*view.shape[:2], 8, 8)
        kind = rng.integers(0, 3, (*view.shape[:2], 1, 1))
        noise = rng.integers(-2048, 2048, shape)
        signs = np.where(rng.random(shape) < 0.5, -2048, 2047)
        samples = np.choose(kind, [noise, signs, noise[..., :1, :1]])
        exact = oracles.forward_dct(samples).reshape(view.shape)
        view[:] = np.rint(exact / steps[i])
    return coefficients


SAMPLINGS = [
    [(1, 1)],
    [(1, 1), (2, 1)],
    *([luma, (1, 1), (1, 1)] for luma in [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1), (4, 2), (1, 4)]),
    [(1, 1), (2, 2), (1, 2)],
    [(2, 1), (1, 1), (1, 1), (2, 1)],
]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Files of legal coefficients, in all integral samplings and colours."""
    sampling = draw(st.sampled_from(SAMPLINGS))
    geometry = Geometry(draw(st.integers(1, 40)), draw(st.integers(1, 40)), sampling)
    seed, largest = draw(st.integers(0, 99)), draw(st.sampled_from([1, 16, 255, 32767]))
    rng = np.random.default_rng(seed)
    steps = [rng.integers(1, largest, 64, endpoint=True) for _ in sampling]
    adobe = draw(st.sampled_from({3: [None, 0, 1], 4: [None, 0, 2]}.get(len(sampling), [None])))
    return file_of(geometry, legal(geometry, steps, seed), steps, adobe)


@pytest.fixture(scope="module")
def imagecodecs() -> ModuleType:
    """libjpeg-turbo with 12 bits."""
    module: ModuleType = pytest.importorskip("imagecodecs")
    return module


# --- inverse DCT ----------------------------------------------------------------------------------


def inverse(blocks: npt.ArrayLike, steps: npt.ArrayLike = 1) -> npt.NDArray[np.int64]:
    """(n, 64) quantized coefficients to (n, 8, 8) samples."""
    source = np.ascontiguousarray(blocks, np.int16)[None]
    plane = np.empty((8, 8 * source.shape[1]), np.uint16)
    qtable = np.full(64, steps, np.int32)
    deep.reconstruct(source, 1, source.shape[1], qtable, plane)
    return plane.reshape(8, -1, 8).swapaxes(0, 1).astype(np.int64)


def test_the_flow_graph_is_the_matrix() -> None:
    """As in test_dct: each entry is wrong by 2**-12 at most."""
    k, x = np.indices((8, 8))
    matrix = np.where(k == 0, math.sqrt(0.5), 1) * np.cos((2 * x + 1) * k * math.pi / 16)
    matrix *= math.sqrt(8) / 2
    unit = [NumpyVector(row) for row in np.eye(8, dtype=np.int32)]
    shown = np.array([vector.values for vector in deep.inverse_8(unit, 0)])
    assert np.abs(shown / 2**13 - matrix.T).max() <= 2.0**-12


@given(st.integers(0, 2**32 - 1))
def test_inverse_is_within_its_bound(seed: int) -> None:
    geometry = Geometry(32, 8, [(1, 1)])
    blocks = legal(geometry, [np.ones(64, np.int64)], seed).reshape(4, 64)
    exact = oracles.inverse_dct(blocks.reshape(4, 8, 8)) + 2048
    error = np.abs(inverse(blocks) - np.clip(exact, 0, 4095)).max(axis=(1, 2))
    assert (error <= oracles.inverse_dct_error(blocks, extra=1)).all()


@pytest.mark.parametrize("step", [1, 3, 500, 65535])
def test_limiting_wraps_as_libjpegs_does(imagecodecs: ModuleType, step: int) -> None:
    """Coefficients that no picture has: any DC, and in the blocks with AC sums below 2**18."""
    rng = np.random.default_rng(1)
    blocks = np.zeros((64, 64), np.int16)
    blocks[:32, 0] = np.linspace(-16384, 16383, 32)  # differences have at most 15 bits
    largest = min(2**18 // (8 * step), 16383)
    blocks[32:] = rng.integers(-largest, largest, (32, 64), endpoint=True)
    geometry = Geometry(8 * 64, 8, [(1, 1)])
    file = file_of(geometry, blocks.reshape(-1), [np.full(64, step)])
    got = inverse(blocks, step)
    assert np.array_equal(got.swapaxes(0, 1).reshape(8, -1), imagecodecs.jpeg8_decode(file))
    assert len(np.unique(got[:32, 0, 0])) > 2


@pytest.mark.hostile
@given(st.integers(0, 2**32 - 1))
def test_any_coefficients_and_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(-32768, 32768, (3, 64))
    samples = inverse(blocks, rng.integers(1, 65536, 64))
    assert samples.min() >= 0
    assert samples.max() <= 4095


# --- upsampling, colour, output -------------------------------------------------------------------

kinds = st.sampled_from([(a, d) for a in (1, 2, 3, 4) for d in (1, 2, 3, 4)])


@given(st.integers(1, 12), st.integers(1, 40), kinds, st.integers(0, 2**32 - 1))
def test_upsample(height: int, width: int, factor: tuple[int, int], seed: int) -> None:
    across, down = factor
    plane = np.random.default_rng(seed).integers(0, 4096, (height + 3, width + 5), np.uint16)
    out = np.full((down * height + 1, across * width + 1), 9, np.uint16)
    deep.upsample(plane, width, height, across, down, out)
    real = plane[:height, :width]
    if factor in ((2, 1), (2, 2), (1, 2)):
        expected = oracles.upsample(real, across, down)
    else:
        expected = real.repeat(down, axis=0).repeat(across, axis=1)
    assert np.array_equal(out[:-1, :-1], expected)
    assert (out[-1] == 9).all()
    assert (out[:, -1] == 9).all()


@given(st.integers(2, 16), st.booleans(), st.integers(0, 2**32 - 1))
def test_color(precision: int, flipped: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    top = 2**precision - 1
    planes = rng.integers(0, top, (3, 4, 30), np.uint16, endpoint=True)
    planes[:, 0] = np.where(rng.random((3, 30)) < 0.5, 0, top)
    before = planes.copy()
    deep.ycbcr_to_rgb(*planes, precision, 29, 3, top if flipped else 0)
    for y, x in np.ndindex(3, 29):
        expected = oracles.ycbcr_to_rgb_fixed(*before[:, y, x].tolist(), precision)
        got = planes[:, y, x].tolist()
        assert got == [top - value if flipped else value for value in expected]
    planes[:, :3, :29] = before[:, :3, :29]
    assert np.array_equal(planes, before)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@given(
    st.integers(1, 9), st.integers(1, 20), st.integers(1, 4), st.integers(1, 4),
    st.integers(0, 5), st.integers(1, 4),
)  # fmt: skip
def test_place(
    kind: type, height: int, width: int, across: int, down: int, shift: int, channels: int
) -> None:
    shape = -(-height // down), -(-width // across)
    plane = np.random.default_rng(shift).integers(0, 256 >> shift, shape, np.uint16)
    out = np.zeros((height, width * channels), kind)
    deep.place(plane, across, down, shift, out, channels - 1, channels)
    expected = np.zeros((height, width, channels), kind)
    rows, columns = np.indices((height, width))
    expected[..., -1] = plane[rows // down, columns // across] << shift
    assert np.array_equal(out.reshape(expected.shape), expected)


def test_without_jit() -> None:
    """The kernels as plain Python: no warning of an overflow, the same pixels."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from test_deep import *
geometry = Geometry(17, 9, [(2, 2), (1, 1), (2, 1)])
qtables = [np.full(64, 7, np.int32)] * 3
coefficients = legal(geometry, qtables, 1)
print(paint(geometry, coefficients, qtables, "YCbCr").sum())
"""
    here = str(Path(__file__).parent)
    plain, compiled = (
        run_python(script, here, options=("-W", "error"), NUMBA_DISABLE_JIT=disabled).stdout
        for disabled in ("1", "0")
    )
    assert plain == compiled


# --- whole files ----------------------------------------------------------------------------------


@given(data=files())
def test_equal_to_libjpeg_turbo(imagecodecs: ModuleType, data: bytes) -> None:
    expected = imagecodecs.jpeg8_decode(data)
    got = decode(data)
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
@pytest.mark.parametrize("level", [1, 50, 95, 100])
@pytest.mark.parametrize("shape", [(1, 1, 3), (61, 83, 3), (61, 83), (16, 5, 3)])
def test_files_of_libjpeg_turbo(
    imagecodecs: ModuleType, subsampling: str, level: int, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(level)
    image = natural(shape, rng).astype(np.uint16) * 16 + rng.integers(0, 16, shape, np.uint16)
    data = imagecodecs.jpeg8_encode(image, level, bitspersample=12, subsampling=subsampling)
    assert np.array_equal(decode(data), imagecodecs.jpeg8_decode(data))


def conformance_names() -> list[str]:
    """The sound sequential 12-bit files; one name that stands for them where there are none."""
    try:
        text = (CONFORMANCE / "MANIFEST.tsv").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ["(all files)"]
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [
        row["path"]
        for row in rows
        if row["sof"] == "SOF1" and row["precision"] == "12" and row["group"] == "valid"
    ]


@pytest.mark.parametrize("name", conformance_names())
def test_conformance(conformance: Path, imagecodecs: ModuleType, name: str) -> None:
    data = (conformance / name).read_bytes()
    assert np.array_equal(decode(data), imagecodecs.jpeg8_decode(data))
