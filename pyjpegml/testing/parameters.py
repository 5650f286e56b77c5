"""Hypothesis strategies for parameters of streams: sampling factors, tables, scripts of scans."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import assume
from hypothesis import strategies as st

from .stream import ZIGZAG, HuffmanTable
from .tables import any_table


@st.composite
def sampling_factors(
    draw: st.DrawFn, components: int, without: Collection[str] = ()
) -> tuple[tuple[int, int], ...]:
    """(H, V) of each component, 1 to 4: none, usual ones, or any.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    components : int
        How many.
    without : collection of str
        Features that must not come.
    """
    one = (1, 1)
    usual = st.sampled_from([(2, 2), (2, 1), (1, 2), (4, 1), (4, 2)])
    factor = st.tuples(st.integers(1, 4), st.integers(1, 4))
    kinds = [
        st.just((one,) * components),
        usual.map(lambda luma: (luma, *[one] * (components - 1))),
        st.tuples(*[factor] * components),
    ]
    factors = draw(st.one_of(kinds))
    assume(not set(without) & sampling_features(factors))
    return factors


def sampling_features(factors: Sequence[tuple[int, int]]) -> set[str]:
    """Which features these sampling factors have."""
    h_max, v_max = (max(pair[axis] for pair in factors) for axis in (0, 1))
    features = set()
    if any(h_max % h or v_max % v for h, v in factors):
        features.add("fractional sampling")
    if factors[0] != (h_max, v_max):
        features.add("larger chroma")
    return features


@st.composite
def qtables(draw: st.DrawFn, largest: int = 255) -> npt.NDArray[np.uint16]:
    """A quantization table: one step for all, or steps that grow, or any.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest : int
        Largest step.
    """
    step = draw(st.integers(1, largest) | st.just(1))
    kind = draw(st.sampled_from(["same", "growing", "any"]))
    if kind == "same":
        table = np.full(64, step)
    elif kind == "growing":
        slope = draw(st.integers(0, 8))
        table = np.empty(64, np.int64)
        table[list(ZIGZAG)] = np.minimum(step + slope * np.arange(64), largest)
    else:
        seed = draw(st.integers(0, 2**16))
        table = np.random.default_rng(seed).integers(1, step, 64, endpoint=True)
    return table.astype(np.uint16).reshape(8, 8)


@st.composite
def groups(draw: st.DrawFn, factors: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Components that share a scan: in the order of the frame, 10 blocks an MCU at most (B.2.3).

    Parameters
    ----------
    draw
        Given by Hypothesis.
    factors : sequence of (H, V)
        Of all components.
    """
    sizes = [h * v for h, v in factors]
    cuts = [0]
    for i in range(1, len(sizes)):
        if sum(sizes[cuts[-1] : i + 1]) > 10 or draw(st.integers(0, 3)) == 3:
            cuts.append(i)
    parts = [tuple(range(a, b)) for a, b in zip(cuts, [*cuts[1:], len(sizes)], strict=True)]
    return draw(st.permutations(parts)) if len(parts) > 1 else parts


@st.composite
def huffman_tables(
    draw: st.DrawFn, symbols: Collection[int] | None = None, max_spare: int = 8
) -> HuffmanTable:
    """Legal Huffman tables: codes of any lengths from 1 to 16, not only the best ones.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    symbols : collection of int, optional
        Bytes that have a code, each; any set of them without it.
    max_spare : int
        Most words, besides the one of ones that T.81 keeps free (Annex C), that are no code's.

    Raises
    ------
    ValueError
        At the first example: if there are no symbols.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(huffman_tables(symbols=[3, 5]), lambda table: True).codes()
    {3: '0', 5: '10'}
    """
    if symbols is None:
        symbols = draw(st.lists(st.integers(0, 255), min_size=1, max_size=256, unique=True))
    if not symbols:
        raise ValueError("a Huffman table has one symbol or more")
    seed = draw(st.integers(0, 2**32 - 1))
    spare = draw(st.integers(0, max_spare))
    if draw(st.booleans()):
        return any_table(list(symbols), random.Random(seed).randrange, spare)
    return any_table(list(symbols), lambda _: 0, spare)  # as unequal as it can be


@dataclass(frozen=True)
class _Pass:
    """A scan of a progressive script."""

    components: tuple[int, ...]
    start: int
    end: int
    high: int
    low: int


@st.composite
def scan_scripts(
    draw: st.DrawFn, factors: Sequence[tuple[int, int]], complete: bool = True
) -> list[tuple[tuple[int, ...], int, int, int, int]]:
    """A progressive script (T.81 G.1.1.1): (components, Ss, Se, Ah, Al) of each scan.

    Every scan makes others possible: the first one of DC those of AC bands, each one the next bit
    of its band, whole or in two parts. They come in any order.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    factors : sequence of (H, V)
        Of all components.
    complete : bool
        Whether all bits of all coefficients come.
    """
    lows = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 13])
    cut = st.integers(0, 7).map(lambda n: n == 7)
    pending = []
    for group in draw(groups(factors)):
        pending.append(_Pass(group, 0, 0, 0, draw(lows)))
    script: list[_Pass] = []
    while pending:
        now = pending.pop(draw(st.integers(0, len(pending) - 1)) if len(pending) > 1 else 0)
        script.append(now)
        if now.start == 0 and now.high == 0:
            for i in now.components:
                low = draw(lows)
                bands = [(1, 63)]
                if draw(st.booleans()):
                    middle = draw(st.integers(1, 62))
                    bands = [(1, middle), (middle + 1, 63)]
                pending += [_Pass((i,), start, end, 0, low) for start, end in bands]
        if now.low:
            following = [(now.components, now.start, now.end)]
            if now.start < now.end and draw(cut):
                middle = draw(st.integers(now.start, now.end - 1))
                following = [
                    (now.components, now.start, middle),
                    (now.components, middle + 1, now.end),
                ]
            elif len(now.components) > 1 and draw(cut):
                following = [((i,), 0, 0) for i in now.components]
            pending += [_Pass(*band, now.low, now.low - 1) for band in following]
    if not complete:
        kept = draw(st.integers(1, len(script)))
        while {i for p in script[:kept] for i in p.components} != set(range(len(factors))):
            kept += 1  # every component gets its DC
        script = script[:kept]
    return [(p.components, p.start, p.end, p.high, p.low) for p in script]
