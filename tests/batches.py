"""What the tests of ``pyjpegml.batch`` share: small trees of pictures, and waiting."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pyjpegml.batch.trees import STATE


def make_picture(path: Path, seed: int, side: int = 32) -> None:
    """A small picture with some noise; its format is that of the name."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, : side + 8]
    pixels = np.dstack([4 * x + seed, 5 * y, x + y]) + rng.normal(0, 5, (side, side + 8, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


def make_tree(folder: Path, count: int = 6) -> Path:
    """Pictures in a folder and in two below it."""
    for i in range(count):
        make_picture(folder / ("", "a", "a/b")[i % 3] / f"{i:03}.{('png', 'jpg')[i % 2]}", i)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Hashes of all files but the journal, by path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and STATE not in path.relative_to(folder).parts
    }


def temporary(folder: Path) -> list[str]:
    """Everything below a folder that has ``.tmp`` in its name."""
    return [
        os.path.join(place, name)
        for place, folders, names in os.walk(folder)
        for name in (*folders, *names)
        if ".tmp" in name
    ]


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 900) -> None:
    """Wait for something that other processes do, however slow the machine is."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.01)
