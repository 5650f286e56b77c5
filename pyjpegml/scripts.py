"""Scan scripts: in which passes a progressive encoder sends the coefficients (T.81 G.1.1).

What the passes may be is told in :mod:`pyjpegml.progressive`. A *script* is a tuple of
:class:`Scan`; one that is sound sends every bit of every coefficient, once and in order. That is
more than a decoder asks for (:mod:`pyjpegml.progression`): a file that lacks something has lost it.

:func:`usual_script` is what most progressive files have: a coarse picture in colour after a few
percent of the bytes, then all of luma but its lowest bits, then the rest. Which script makes the
smallest file depends on the picture: :mod:`pyjpegml.scan_search`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .progression import LARGEST_SHIFT

#: Blocks that an MCU of an interleaved scan may have (T.81 B.2.3).
MCU_BLOCKS = 10

#: Sampling factors (H, V) of each component.
Sampling = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Scan:
    """One pass over some coefficients (T.81 B.2.3, G.1.1.1).

    Attributes
    ----------
    components : tuple of int
        Which components of the frame, counted from 0, in increasing order.
    Ss, Se : int
        Spectral selection: from and to which place of the zigzag path; 0 and 0 for DC.
    Ah, Al : int
        Successive approximation: without how many of the lowest bits the coefficients have been
        sent before (0 if nothing of them was), and without how many they are known after.
    """

    components: tuple[int, ...]
    Ss: int
    Se: int
    Ah: int
    Al: int


#: One entry of a script in words: components, and behind a colon Ss, Se, Ah, Al.
_ENTRY = re.compile(r"\d+(?:[\s,]+\d+)*\s*:\s*\d+[\s,-]+\d+[\s,]+\d+[\s,]+\d+", re.ASCII)


def parse_script(text: str) -> tuple[Scan, ...]:
    """A script in the words that libjpeg's programs read (its ``wizard.txt``).

    Each entry ends with a semicolon; ``#`` begins a remark, which goes to the end of its line.

    Raises
    ------
    ValueError
        That names the entry, counted from 0, which is no progressive scan.

    Examples
    --------
    >>> parse_script("0,1,2: 0-0, 0, 1;  # DC")
    (Scan(components=(0, 1, 2), Ss=0, Se=0, Ah=0, Al=1),)
    """
    *entries, rest = re.sub("#.*", "", text).split(";")
    if rest.strip():
        entries.append(rest)
    scans = []
    for number, entry in enumerate(part.strip() for part in entries):
        if not _ENTRY.fullmatch(entry):
            raise ValueError(
                f"scan {number} is {entry[:60]!r}; expected are components and Ss-Se, Ah, Al, such "
                "as '0,1,2: 0-0, 0, 1'"
            )
        *chosen, ss, se, ah, al = map(int, re.findall(r"\d+", entry))
        scans.append(Scan(tuple(chosen), ss, se, ah, al))
    return tuple(scans)


def check_script(script: Sequence[Scan], sampling: Sampling) -> tuple[Scan, ...]:
    """A script that sends all of a picture, as a tuple.

    Parameters
    ----------
    script : sequence of Scan
    sampling : sequence of (H, V)
        Of each component of the frame.

    Raises
    ------
    TypeError, ValueError
        That names the scan, counted from 0, and the rule of T.81 that it breaks, or what the whole
        script does not send.
    """
    known = np.full((len(sampling), 64), -1)
    for number, scan in enumerate(script):
        if not isinstance(scan, Scan):
            raise TypeError(f"a script is a sequence of Scan; number {number} is {scan!r}")
        problem = _problem(scan, sampling) or _disorder(scan, known)
        if problem:
            raise ValueError(f"scan {number} of the script, {scan}: {problem}")
        for i in scan.components:
            known[i, scan.Ss : scan.Se + 1] = scan.Al
    for i, k in np.argwhere(known != 0):
        missing = "nothing" if known[i, k] < 0 else f"all but the lowest {known[i, k]} bits"
        raise ValueError(
            f"the script sends {missing} of coefficient {k} of component {i}; a file of it would "
            "lose the rest"
        )
    return tuple(script)


def _problem(scan: Scan, sampling: Sampling) -> str:
    """What no scan may be (T.81 B.2.3, Table B.3, G.1.1.1.1)."""
    chosen = scan.components
    if not 1 <= len(chosen) <= 4:
        return f"a scan has 1 to 4 components, not {len(chosen)}"
    if not all(0 <= i < len(sampling) for i in chosen):
        return f"components are numbers from 0 to {len(sampling) - 1}"
    if any(a >= b for a, b in itertools.pairwise(chosen)):
        return "components come once, and in the order of the frame"
    if not 0 <= scan.Ss <= scan.Se <= 63:
        return "a band goes upwards, within 0 to 63"
    if scan.Ss == 0 and scan.Se > 0:
        return "DC is a band of its own, from 0 to 0; AC begins with 1"
    if scan.Ss > 0 and len(chosen) > 1:
        return "a scan of AC has one component; only DC may be interleaved"
    blocks = sum(sampling[i][0] * sampling[i][1] for i in chosen)
    if len(chosen) > 1 and blocks > MCU_BLOCKS:
        return f"its MCUs would have {blocks} blocks, and may have {MCU_BLOCKS}"
    if not 0 <= scan.Al <= LARGEST_SHIFT:
        return f"Al is 0 to {LARGEST_SHIFT}"
    if scan.Ah not in (0, scan.Al + 1):
        return f"Ah is 0 in a first scan; a refinement sends one bit, from {scan.Al + 1}"
    return ""


def _disorder(scan: Scan, known: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    """What a scan may not be behind those before it (T.81 G.1.1.1.1).

    `known` (components, 64): of each coefficient, how many of its lowest bits are missing; -1 if
    nothing of it is known.
    """
    for i in scan.components:
        if scan.Ss > 0 and known[i, 0] < 0:
            return f"AC of component {i} comes before its DC"
        for k in range(scan.Ss, scan.Se + 1):
            if scan.Ah == 0 and known[i, k] >= 0:
                return f"coefficient {k} of component {i} has had its first scan"
            if scan.Ah > 0 and known[i, k] < 0:
                return f"coefficient {k} of component {i} has had no first scan"
            if scan.Ah > 0 and known[i, k] != scan.Ah:
                return (
                    f"of coefficient {k} of component {i} the lowest {known[i, k]} bits are "
                    f"missing, not {scan.Ah}"
                )
    return ""


def interleaved(chosen: Sequence[int], sampling: Sampling) -> list[tuple[int, ...]]:
    """Components that a scan of DC sends together, or each by itself if there are too many blocks.

    Parameters
    ----------
    chosen : sequence of int
        The components.
    sampling : sequence of (H, V)
        Of all components of the frame.
    """
    blocks = sum(sampling[i][0] * sampling[i][1] for i in chosen)
    if len(chosen) <= 4 and blocks <= MCU_BLOCKS:
        return [tuple(chosen)]
    return [(i,) for i in chosen]


def usual_script(sampling: Sampling, chroma: bool = True) -> tuple[Scan, ...]:
    """The script of libjpeg's ``jpeg_simple_progression``, which most progressive files have.

    Parameters
    ----------
    sampling : sequence of (H, V)
        Of each component.
    chroma : bool
        Whether three components are Y, Cb and Cr: then chroma comes after the first of luma, in one
        scan each, because there is little of it.

    Examples
    --------
    >>> for scan in usual_script([(1, 1)]):
    ...     print(scan.Ss, scan.Se, scan.Ah, scan.Al)
    0 0 0 1
    1 5 0 2
    6 63 0 2
    1 63 2 1
    0 0 1 0
    1 63 1 0
    """
    every = range(len(sampling))
    dc_scans = interleaved(every, sampling)
    first = [Scan(chosen, 0, 0, 0, 1) for chosen in dc_scans]
    last = [Scan(chosen, 0, 0, 1, 0) for chosen in dc_scans]
    if len(sampling) == 3 and chroma:
        return (
            *first,
            Scan((0,), 1, 5, 0, 2),
            Scan((2,), 1, 63, 0, 1),
            Scan((1,), 1, 63, 0, 1),
            Scan((0,), 6, 63, 0, 2),
            Scan((0,), 1, 63, 2, 1),
            *last,
            *(Scan((i,), 1, 63, 1, 0) for i in (2, 1, 0)),
        )
    return (
        *first,
        *(Scan((i,), 1, 5, 0, 2) for i in every),
        *(Scan((i,), 6, 63, 0, 2) for i in every),
        *(Scan((i,), 1, 63, 2, 1) for i in every),
        *last,
        *(Scan((i,), 1, 63, 1, 0) for i in every),
    )
