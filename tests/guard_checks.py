"""What the checks of :mod:`test_guards` share: their register, sizes to try, and files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from helpers import SUBSAMPLINGS, picture

Check = Callable[[], None]
CHECKS: dict[str, Check] = {}

#: Widths around the steps of 8, 32, 64, 128 and 512 samples.
WIDTHS = (
    1,
    2,
    3,
    7,
    8,
    9,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    95,
    96,
    97,
    127,
    128,
    129,
    511,
    512,
    513,
)
#: Numbers of bytes around the steps of 64.
COUNTS = (0, 1, 2, 3, 8, 62, 63, 64, 65, 66, 127, 128, 129, 130, 191, 192, 193, 1000)
NAMES = ("grey", *SUBSAMPLINGS)
SIZES = (
    (1, 1),
    (7, 9),
    (8, 8),
    (17, 33),
    (16, 63),
    (33, 64),
    (15, 65),
    (9, 511),
    (8, 512),
    (16, 513),
)


def check(function: Check) -> Check:
    """Decorator: a check, which runs in a process of its own."""
    CHECKS[function.__name__] = function
    return function


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def up(n: int, step: int) -> int:
    return -(-n // step) * step


def made(name: str, size: tuple[int, int], kind: str = "noise") -> np.ndarray:
    return picture(kind, size if name == "grey" else (*size, 3), sum(size))


def options(name: str) -> dict[str, str]:
    return {} if name == "grey" else {"subsampling": name}


def risky_bytes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Bytes with many FF, zeros and markers among them."""
    choice = np.array([0xFF, 0xFF, 0xFF, 0, 0, 0xD0, 0xD7, 0xD9, 0x12, 0x80], np.uint8)
    return choice[rng.integers(0, choice.size, count)]
