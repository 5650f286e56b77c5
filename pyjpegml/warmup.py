"""Compile every kernel ahead of its first use, so that no later call waits for it.

Numba compiles a kernel for the types of its arguments. So the public functions are called here
with everything that changes those types: grey and RGB, data that can be written and data that
cannot, one thread and two, and pictures small and large, which the metric reckons in different
precisions.

The calls are sorted into :data:`TASKS` that share few kernels, and with several processes each of
them does one after the other; what they compile they leave in the cache, for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from . import arithmetic, deep, lossless, markers, progressive, smoothing, strips
from .bitio import PADDING
from .coefficients import Geometry
from .constants import ZIGZAG
from .decoder import THREAD_PIXELS, decode, decode_partial
from .encoder import encode
from .header import SUBSAMPLINGS, open_stream
from .huffman import STANDARD_TABLES, decoding_tables
from .metrics import DENSE, SMALL, ms_ssim
from .painting import paint
from .rate import compress
from .scan import READER_FIELDS
from .scans import MAX_SCANS, Scans
from .threads import Crew
from .transforms import transform
from .windows import window_of


def _pictures(height: int, width: int) -> Iterator[npt.NDArray[np.uint8]]:
    """RGB and grey noise, both writable and not."""
    rgb = np.random.default_rng(0).integers(96, 160, (height, width, 3), np.uint8)
    for image in (rgb, np.ascontiguousarray(rgb[:, :, 1])):
        yield image
        frozen = image.copy()
        frozen.flags.writeable = False
        yield frozen


def _encode(optimize: bool) -> None:
    for image in _pictures(48, 80):
        for subsampling in SUBSAMPLINGS:
            for restart_interval in (0, 2):
                encode(
                    image, subsampling=subsampling, optimize=optimize,
                    restart_interval=restart_interval,
                )  # fmt: skip
    side = math.isqrt(2 * THREAD_PIXELS) + 1
    for image in _pictures(side, side):
        encode(image, optimize=optimize, threads=2)


def _encode_optimal() -> None:
    _encode(True)


def _encode_standard() -> None:
    _encode(False)


def _encode_progressive() -> None:
    for image in _pictures(48, 80):
        for subsampling in SUBSAMPLINGS:
            for scans in (True, "search"):
                encode(image, subsampling=subsampling, progressive=scans)


def _encode_deep() -> None:
    for image in _pictures(48, 80):
        deep = image.astype(np.uint16)
        for subsampling in ("4:2:0", "4:1:1"):
            encode(deep, subsampling=subsampling)
        encode(image, lossless=True, restart_rows=1)
        encode(deep, lossless=True)


def _rewrite() -> None:
    for image in _pictures(48, 80):
        data = encode(image, optimize=False)
        for scans in (False, True):
            transform(data, "rotate180", progressive=scans)
            transform(data, "rotate90", progressive=scans, restart_interval=2)


def _decode() -> None:
    for image in _pictures(48, 80):
        for subsampling in SUBSAMPLINGS:
            data = encode(image, subsampling=subsampling, optimize=False, restart_interval=2)
            decode(data)
            decode(bytearray(data))
            if image.ndim == 3 and subsampling == "4:4:4":
                decode(_without_ycbcr(data))
    side = math.isqrt(2 * THREAD_PIXELS) + 1
    for image in _pictures(side, side):
        decode(encode(image, optimize=False), threads=2)


def _decode_stored() -> None:
    """By way of all coefficients: what the other processes and options need.

    The library cannot write all of them, so some kernels are called with nothing to do.
    """
    for image in _pictures(48, 80):
        for subsampling in SUBSAMPLINGS:
            data = encode(image, subsampling=subsampling, optimize=False, restart_interval=2)
            decode_partial(data)
            decode(data, scale=2, region=(20, 20, 8, 4))
    for color in ("grey", "YCbCr", "RGB", "stored"):
        decode(data, color=color)
    stream = open_stream(memoryview(data))
    scans = Scans(stream, stream.to_scan(), MAX_SCANS, None, Crew(1))
    paint(scans, strips.GREY, Crew(1), window_of(scans.geometry, None, 2))
    geometry = Geometry(8, 8, [(1, 1)] * 4)
    planes = [np.zeros((8, 8), np.uint8)] * 4
    for painting in (strips.CMYK, strips.INVERTED_CMYK, strips.YCCK, strips.OTHER):
        strips.picture(geometry, planes, painting)
    plan, reader = geometry.scan_plan([(0, 0)], [0]), np.zeros(READER_FIELDS, np.int64)
    source = np.zeros(PADDING, np.uint8), np.zeros(1, np.int64), 0, 0
    coefficients, masks = np.zeros(geometry.size, np.int16), np.zeros(4, np.uint64)
    for band in ((0, 0, 0, 0), (0, 0, 1, 0), (1, 63, 0, 0), (1, 63, 1, 0)):
        progressive.decode_scan(*source, plan, 1, band, {}, reader, coefficients, masks)
        arithmetic.decode_scan(*source, plan, 1, band, {}, reader, coefficients)
    arithmetic.decode_scan(*source, plan, 1, None, {}, reader, coefficients)
    view, table = geometry.view(coefficients, 0), np.ones(64, np.int32)
    smoothing.smooth_rows(
        view[..., 0].copy(), 1, 1, 1, 0, 1, table, np.full(64, -1), ZIGZAG, smoothing.scratch(1),
        view,
    )  # fmt: skip
    deep_planes = np.zeros((3, 8, 8), np.uint16)
    deep.reconstruct(view, 1, 1, table, deep_planes[0])
    deep.upsample(deep_planes[0], 4, 4, 2, 2, deep_planes[1])
    for dtype in (np.uint8, np.uint16):
        rows = np.zeros((8, 24), dtype)
        deep.place(deep_planes[0], 1, 1, 0, rows, 0, 3)
        deep.rgb_to_ycbcr(rows, 8, *np.zeros((3, 8, 8), dtype))
    deep.ycbcr_to_rgb(*deep_planes, 12, 8, 8, 0)
    cursors = np.zeros((1, lossless.CURSOR_FIELDS), np.int64)
    lossless.decode_differences(
        *source, plan, 1, *decoding_tables(STANDARD_TABLES), cursors, reader, deep_planes.ravel()
    )
    lossless.undifference(deep_planes[0], 8, 8, 1, 0, 128)


def _score() -> None:
    for image in _pictures(48, 80):
        other = image ^ 5
        ms_ssim(image, other)
        ms_ssim(other, image)
        ms_ssim(image, other, luma_only=True)
    side = math.isqrt(SMALL) + 1
    for image in _pictures(side, side):
        ms_ssim(image, image + np.uint8(90))  # falls back from single to double precision


def _compress() -> None:
    for image in _pictures(48, 80):
        for scans in (True, False):
            compress(image, ms_ssim=0.95, progressive=scans)
        compress(image, ms_ssim=0.95, effort="fast")
    for pixels in (SMALL, DENSE):
        side = math.isqrt(pixels) + 1
        for image in _pictures(side, side):
            compress(image, ms_ssim=0.95)
    side = 2 * math.isqrt(DENSE) + 2
    compress(next(_pictures(side, side)), ms_ssim=0.95)  # the second scale is large, too


def _without_ycbcr(data: bytes) -> bytes:
    """A file of ours with Adobe's marker for "components are R, G, B" in place of JFIF's."""
    adobe = markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    return data[:2] + adobe + data[2 + len(markers.jfif_bytes()) :]


#: By name, in the order in which they are begun: those behind may use kernels of those before.
TASKS: dict[str, Callable[[], None]] = {
    "encode with optimal tables": _encode_optimal,
    "encode with standard tables": _encode_standard,
    "encode progressive files": _encode_progressive,
    "encode deep and lossless": _encode_deep,
    "turn without loss": _rewrite,
    "score": _score,
    "decode": _decode,
    "decode by way of coefficients": _decode_stored,
    "compress": _compress,
}


def run_task(name: str) -> str:
    """Do one of the :data:`TASKS`; returns its name."""
    TASKS[name]()
    return name


def warmup(processes: int = 1, progress: Callable[[str], None] = lambda name: None) -> None:
    """Compile all kernels, or load them from the cache (:func:`pyjpegml._jit.cache_root`).

    Parameters
    ----------
    processes : int
        How many processes compile at the same time; with 1, this one does. Others are spawned, so a
        script that asks for them needs the usual ``if __name__ == "__main__":``.
    progress : callable
        Called with the name of each of the :data:`TASKS` that is done.
    """
    if processes > 1:
        with ProcessPoolExecutor(min(processes, len(TASKS)), get_context("spawn")) as pool:
            for future in as_completed([pool.submit(run_task, name) for name in TASKS]):
                progress(future.result())
        return
    for name in TASKS:
        progress(run_task(name))
