"""What a search may spend, and what is told of it: encodes, seconds, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A set of coefficients that was reconstructed and scored.

    Attributes
    ----------
    name : str
        What made it.
    loss : float
        1 - MS-SSIM.
    size : float
        Bytes: of the file, or of its scans as counted.
    encodes : int
        Sets so far, this one included.
    seconds : float
        Since the search began.
    """

    name: str
    loss: float
    size: float
    encodes: int
    seconds: float


@dataclass(frozen=True)
class Options:
    """What is rarely asked of :func:`pyjpegml.compress`.

    Attributes
    ----------
    metric : str
        ``"rgb"``: the mean MS-SSIM of R, G and B. ``"luma"``: that of luma alone; chroma is then
        coded as finely as beside that luma it would be for ``"rgb"``, because luma does not see it.
    max_encodes : int, optional
        How many sets of coefficients may be reconstructed and scored.
    time_budget_s : float, optional
        Seconds after which no other is begun. Reading the picture and writing the file come on top.
    progress : callable, optional
        Called with each :class:`Step`. What it raises ends the search.

    Notes
    -----
    One set is always made, and as many as it takes to find a file of `max_bytes`. When nothing is
    left to spend, the smallest file that has met the target is returned; or, with
    ``met=False``, the one that came nearest.

    Raises
    ------
    TypeError, ValueError
        If one of them is something else.
    """

    metric: str = "rgb"
    max_encodes: int | None = None
    time_budget_s: float | None = None
    progress: Callable[[Step], object] | None = None

    def __post_init__(self) -> None:
        if self.metric not in ("rgb", "luma"):
            raise ValueError(f"metric is 'rgb' or 'luma', not {self.metric!r}")
        most = self.max_encodes
        if most is not None and (isinstance(most, bool) or not isinstance(most, int)):
            raise TypeError(f"max_encodes is a number or None, not {most!r}")
        if most is not None and most < 1:
            raise ValueError(f"max_encodes is 1 or more, not {most}")
        if self.time_budget_s is not None and not self.time_budget_s >= 0:
            raise ValueError(f"time_budget_s is 0 or more seconds, not {self.time_budget_s!r}")


class Account:
    """What one search has spent.

    Parameters
    ----------
    options : Options

    Attributes
    ----------
    encodes : int
    reserved : int
        How many are kept back, for what comes after.
    """

    def __init__(self, options: Options) -> None:
        self.encodes = self.reserved = 0
        self._options = options
        self._began = time.monotonic()

    def note(self, name: str, loss: float, size: float) -> None:
        """Count a set of coefficients."""
        self.encodes += 1
        if self._options.progress is not None:
            seconds = time.monotonic() - self._began
            self._options.progress(Step(name, loss, size, self.encodes, seconds))

    @property
    def left(self) -> float:
        """How many more there may be now; infinity without a limit."""
        most, seconds = self._options.max_encodes, self._options.time_budget_s
        if seconds is not None and time.monotonic() - self._began >= seconds:
            return 0
        return math.inf if most is None else most - self.encodes - self.reserved
