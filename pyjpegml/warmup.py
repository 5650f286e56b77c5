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

from . import markers
from .decoder import SUBSAMPLINGS, THREADED_PIXELS, decode
from .encoder import encode
from .metrics import SMALL, ms_ssim
from .rate import compress


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
    side = math.isqrt(THREADED_PIXELS) + 1
    for image in _pictures(side, side):
        encode(image, optimize=optimize, threads=2)


def _encode_optimal() -> None:
    _encode(True)


def _encode_standard() -> None:
    _encode(False)


def _decode() -> None:
    for image in _pictures(48, 80):
        for subsampling in SUBSAMPLINGS:
            data = encode(image, subsampling=subsampling, optimize=False, restart_interval=2)
            decode(data)
            decode(bytearray(data))
            if image.ndim == 3 and subsampling == "4:4:4":
                decode(_without_ycbcr(data))
    side = math.isqrt(THREADED_PIXELS) + 1
    for image in _pictures(side, side):
        decode(encode(image, optimize=False), threads=2)


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
        compress(image, ms_ssim=0.95)
    side = math.isqrt(SMALL) + 1
    for image in _pictures(side, side):
        compress(image, ms_ssim=0.95)


def _without_ycbcr(data: bytes) -> bytes:
    """A file of ours with Adobe's marker for "components are R, G, B" in place of JFIF's."""
    adobe = markers.segment_bytes(markers.APP14, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    return data[:2] + adobe + data[2 + len(markers.jfif_bytes()) :]


#: By name, in the order in which they are begun: those behind may use kernels of those before.
TASKS: dict[str, Callable[[], None]] = {
    "encode with optimal tables": _encode_optimal,
    "encode with standard tables": _encode_standard,
    "score": _score,
    "decode": _decode,
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
