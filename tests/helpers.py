"""Pictures, strategies and small tools that several test files use."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from PIL import Image

import pyjpegml
from pyjpegml.strips import GREY, RGB, YCBCR
from pyjpegml.testing import Component, Content, Frame, Layout, Scan, Stream, write_stream

Bytes = npt.NDArray[np.uint8]

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = Path(pyjpegml.__file__).resolve().parent
#: Real and broken files: MANIFEST.tsv, valid/, broken/.
CONFORMANCE = Path(
    os.environ.get("PYJPEGML_CONFORMANCE", REPOSITORY.parent / "shared" / "conformance")
)
#: How :mod:`pyjpegml.strips` paints each colour model.
PAINTINGS = {"grey": GREY, "YCbCr": YCBCR, "RGB": RGB}
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")

# --- pictures -------------------------------------------------------------------------------------


def _flat(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    return np.broadcast_to(rng.integers(0, 256, shape[2:], np.uint8), shape).copy()


def _gradient(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    slopes = rng.uniform(-4, 4, (2, *shape[2:]))
    start = rng.uniform(0, 255, shape[2:])
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    if len(shape) == 3:
        rows, columns = rows[..., None], columns[..., None]
    return np.clip(start + slopes[0] * rows + slopes[1] * columns, 0, 255).astype(np.uint8)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    return rng.integers(0, 256, shape, np.uint8)


def _extremes(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    return np.uint8(255) * rng.integers(0, 2, shape, np.uint8)


def _checkerboard(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    rows, columns = np.indices(shape[:2]) // int(rng.integers(1, 9))
    squares = np.uint8(255) * ((rows + columns) % 2).astype(np.uint8)
    if len(shape) == 2:
        return squares
    return np.bitwise_xor(squares[..., None], _flat((1, 1, shape[2]), rng))


def natural(shape: tuple[int, ...], rng: np.random.Generator) -> Bytes:
    """Like a photograph: amplitudes fall as 1 / frequency, and colours vary less than luma."""
    height, width = shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = np.inf

    def plane() -> npt.NDArray[np.float64]:
        values = np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width))) / frequency).real
        return values / (values.std() + 1e-9)

    values = 128 + 50 * plane()
    if len(shape) == 3:
        values = np.stack([values + 15 * plane() for _ in range(shape[2])], axis=-1)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


KINDS: dict[str, Callable[[tuple[int, ...], np.random.Generator], Bytes]] = {
    "flat": _flat,
    "gradient": _gradient,
    "noise": _noise,
    "extremes": _extremes,
    "checkerboard": _checkerboard,
    "natural": natural,
}


def picture(kind: str, shape: tuple[int, ...], seed: int = 0) -> Bytes:
    """A picture of a kind, (h, w) or (h, w, 3)."""
    return KINDS[kind](shape, np.random.default_rng(seed))


# --- strategies -----------------------------------------------------------------------------------


def sizes(largest: int = 70, longest: int = 3000) -> st.SearchStrategy[tuple[int, int]]:
    """Heights and widths: small ones, and long ones that are thin."""
    side, length, thin = st.integers(1, largest), st.integers(1, longest), st.integers(1, 3)
    return st.one_of(st.tuples(side, side), st.tuples(length, thin), st.tuples(thin, length))


@st.composite
def images(
    draw: st.DrawFn, channels: tuple[int, ...] = (1, 3), largest: int = 70, longest: int = 3000
) -> Bytes:
    """Pictures of all kinds and sizes, (h, w) or (h, w, 3)."""
    size = draw(sizes(largest, longest))
    shape = size if draw(st.sampled_from(channels)) == 1 else (*size, 3)
    return picture(draw(st.sampled_from(sorted(KINDS))), shape, draw(st.integers(0, 2**32 - 1)))


@st.composite
def qtables(draw: st.DrawFn, components: int) -> npt.NDArray[np.int64]:
    """One to `components` quantization tables with steps from 1 to 255."""
    count = draw(st.integers(1, components))
    largest = draw(st.sampled_from([1, 2, 16, 255]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(1, largest, (count, 8, 8), endpoint=True)


# --- streams of the testing kit -------------------------------------------------------------------


def plain_file(
    frame: Frame,
    coefficients: Sequence[npt.NDArray[Any]],
    qtables: Sequence[npt.NDArray[np.uint16]],
    layout: Layout | None = None,
) -> bytes:
    """Coefficients in the simplest file: sequential, a scan for each component."""
    components = [Component(c.identifier, c.h, c.v, i) for i, c in enumerate(frame.components)]
    frame = replace(frame, process="extended sequential", components=tuple(components))
    units = []
    for i, blocks in enumerate(coefficients):
        unit = np.zeros((*frame.padded_size(i), 8, 8), np.int64)
        unit[: blocks.shape[0], : blocks.shape[1]] = blocks
        units.append(unit)
    tables = {(0, i): table for i, table in enumerate(qtables)}
    scans = [Scan((i,), ((0, 0),)) for i in range(len(units))]
    return write_stream(frame, scans, Content(tuple(units), tables), layout=layout).data


def plain(stream: Stream) -> bytes:
    """The same coefficients in the simplest file."""
    layout = Layout(jfif=stream.jfif, adobe=stream.adobe)
    return plain_file(stream.frame, stream.coefficients, stream.qtables, layout)


# --- Pillow ---------------------------------------------------------------------------------------


def pillow_decode(data: bytes) -> Bytes:
    """Pixels as libjpeg-turbo decodes them.

    A segment that begins like the index of several pictures may hold anything in generated files;
    Pillow says so, and takes the first one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Image appears to be a malformed MPO file")
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture)


def pillow_encode(image: Bytes, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, "JPEG", **options)
    return target.getvalue()


def assert_same_picture(got: Bytes, expected: Bytes) -> None:
    """Equal shape, dtype and samples; if not, the first 8x8 block that differs is shown."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if np.array_equal(got, expected):
        return
    differs = got != expected
    where = tuple(int(n) for n in np.argwhere(differs)[0])
    top, left = where[0] // 8 * 8, where[1] // 8 * 8
    window = np.s_[top : top + 8, left : left + 8, *where[2:]]
    largest = np.abs(got.astype(int) - expected.astype(int)).max()
    raise AssertionError(
        f"{np.count_nonzero(differs)} of {differs.size} samples differ, by {largest} at most; "
        f"the first block with a difference, at row {top}, column {left}, channel {where[2:]}:\n"
        f"got\n{got[window]}\nexpected\n{expected[window]}"
    )


def assert_says_where(error: pyjpegml.JpegError, size: int) -> None:
    """An error has a reason, and its offset lies within the `size` bytes of the data."""
    assert error.reason
    assert error.offset is None or 0 <= error.offset <= size


# --- processes ------------------------------------------------------------------------------------


def run_python(
    script: str,
    *arguments: str,
    path: Path = PACKAGE.parent,
    options: tuple[str, ...] = (),
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter that finds pyjpegml in `path`; it must not fail.

    Numba's switches of this process are not passed on, except where the cache lies. It may take as
    long as it likes; but in an hour the slowest machine has compiled everything, and it hangs.
    """
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("NUMBA_") or k == "NUMBA_CACHE_DIR"
    }
    kept |= {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"} | env
    done = subprocess.run(
        [sys.executable, *options, "-c", script, *arguments],
        env=kept, cwd=path, capture_output=True, text=True, timeout=3600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
