"""What the texts of the command line's options mean: parsers for :mod:`argparse`, whose errors say
what would be accepted.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from contextlib import suppress

#: As :data:`pyjpegml.header.SUBSAMPLINGS`, whose import would take NumPy's time.
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0")


def target(text: str) -> float:
    """An MS-SSIM that is to be met."""
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"an MS-SSIM is above 0 and at most 1, not {text!r}")


def whole_number(what: str, low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`, called `what` in its error."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if low <= int(text) <= high:
                return int(text)
        raise argparse.ArgumentTypeError(
            f"{what} is a whole number from {low} to {high}, not {text!r}"
        )

    return parse


def color(text: str) -> tuple[int, int, int]:
    """A colour, white, black or #rrggbb."""
    text = {"white": "#ffffff", "black": "#000000"}.get(text.lower(), text)
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise argparse.ArgumentTypeError(f"a colour is white, black or #rrggbb, not {text!r}")
    r, g, b = bytes.fromhex(text[1:])
    return r, g, b


def shard(text: str) -> tuple[int, int]:
    """A part of so many, I/N."""
    if re.fullmatch(r"\d{1,6}/\d{1,6}", text, re.ASCII):
        part, parts = (int(number) for number in text.split("/"))
        if part < parts:
            return part, parts
    raise argparse.ArgumentTypeError(f"a shard is I/N with I from 0 to N - 1, not {text!r}")


def region(text: str) -> tuple[int, int, int, int]:
    """A part of a picture, X,Y,WIDTH,HEIGHT."""
    if not re.fullmatch(r"\d{1,5}(,\d{1,5}){3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"a region is X,Y,WIDTH,HEIGHT in whole pixels, not {text!r}"
        )
    x, y, width, height = (int(number) for number in text.split(","))
    return x, y, width, height


def qualities(text: str) -> int | tuple[int, ...]:
    """One quality, or several with commas between."""
    found = tuple(whole_number("a quality", 1, 100)(part) for part in text.split(","))
    return found if len(found) > 1 else found[0]


def subsampling(text: str) -> str:
    """A name, or factors of each component."""
    if text in SUBSAMPLINGS or re.fullmatch(r"[1-4]x[1-4](,[1-4]x[1-4])*", text):
        return text
    raise argparse.ArgumentTypeError(
        f"a subsampling is one of {', '.join(SUBSAMPLINGS)}, or factors such as 2x1,1x1,1x1; "
        f"not {text!r}"
    )


def processes(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 or more")
    return int(text)
