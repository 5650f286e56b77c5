"""The search for the best script: costs against scans that are coded, cuts against all that are."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from helpers import SUBSAMPLINGS, assert_same_picture, images, picture, pillow_decode
from hypothesis import given
from hypothesis import strategies as st
from test_progressive import random_coefficients

from pyjpegml import decode, encode, progressive_encoder, scan_search
from pyjpegml.bit_planes import bit_planes
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS as FACTORS
from pyjpegml.huffman import optimal_table
from pyjpegml.progressive_symbols import LONGEST_RUN
from pyjpegml.scan_search import (
    CODES,
    EDGES,
    HEADER_BITS,
    RAW_BITS,
    RESTART_BITS,
    STUFFED,
    TABLES,
    Cuts,
    Level,
    best_script,
    count_level,
)
from pyjpegml.scripts import Scan, check_script, usual_script
from pyjpegml.threads import Crew

SEGMENTS = len(EDGES) - 1
BANDS = [(a, e) for a in range(SEGMENTS) for e in range(a, SEGMENTS)]


def levels(
    geometry: Geometry, quantized: np.ndarray, interval: int = 0, crew: Crew | None = None
) -> list[tuple[int, int, Level]]:
    """Ah, Al and costs of all scans of component 0."""
    crew = Crew(1) if crew is None else crew
    nonzero = bit_planes(geometry, quantized, 0, 5).nonzero
    where = geometry.view(quantized, 0), geometry.planes[0].across
    nothing = np.zeros(nonzero.shape[1], np.uint64)
    first = [
        (0, low, count_level(*where, nothing, nonzero[low], low, crew, interval))
        for low in range(4)
    ]
    refined = [
        (low + 1, low, count_level(*where, nonzero[low + 1], nonzero[low], low, crew, interval))
        for low in range(3)
    ]
    return first + refined


def check_costs(
    geometry: Geometry, quantized: np.ndarray, bands: list[tuple[int, int]], interval: int = 0
) -> None:
    """Symbols and bits are those of the scan."""
    planes = [bit_planes(geometry, quantized, 0, 5)]
    for high, low, level in levels(geometry, quantized, interval):
        for a, e in bands:
            scan = Scan((0,), EDGES[a], EDGES[e + 1] - 1, high, low)
            coded = progressive_encoder.symbols_of_scan(geometry, quantized, scan, interval, planes)
            np.testing.assert_array_equal(level.counts[a, e], coded.counts[0])
            raw = int((coded.records >> 11 & 31).sum())
            header = HEADER_BITS + RESTART_BITS * (coded.ends.size - 1)
            assert level.costs[RAW_BITS, a, e] == header + STUFFED * raw
            table = optimal_table(coded.counts[0])
            assert level.costs[TABLES, a, e] == 8 * (17 + len(table.symbols))
            if table.bits[15] == 0:  # no code was made shorter
                lengths = zip(table.symbols, table.code_lengths(), strict=True)
                bits = sum(length * int(coded.counts[0, symbol]) for symbol, length in lengths)
                # the symbol in reserve counts 1 there, and 0 here: of equal rarity, one bit
                assert 0 <= bits - level.costs[CODES, a, e] / STUFFED <= 2


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([((1, 1),), *FACTORS.values()]),
    st.integers(0, 999),
    st.sampled_from([0.01, 0.1, 0.5, 1]),
    st.sampled_from([1, 4, 30, 1023]),
    st.sampled_from([0, 0.5, 0.95, 1]),
    st.sampled_from([0, 0, 1, 2, 5, 63, 64, 65, 60000]),
)
def test_costs(
    width: int,
    height: int,
    factors: tuple[tuple[int, int], ...],
    seed: int,
    density: float,
    largest: int,
    flat: float,
    interval: int,
) -> None:
    geometry = Geometry(width, height, factors)
    quantized = random_coefficients(geometry, seed, density, largest, flat)
    check_costs(geometry, quantized, BANDS[seed % 7 :: 7], interval)


@pytest.mark.parametrize(
    ("across", "down"), [(3, 1), (64, 1), (65, 1), (66, 1), (67, 1), (128, 1), (2001, 2), (4681, 7)]
)
def test_long_runs(across: int, down: int) -> None:
    """Up to the longest, between two blocks that are not empty."""
    assert LONGEST_RUN == 3641 * 9 - 2
    geometry = Geometry(8 * across, 8 * down, [(1, 1)])
    quantized = np.zeros(geometry.size, np.int16)
    blocks = quantized.reshape(-1, 64)
    blocks[0, [1, 63]] = 5
    blocks[-1, 8] = 1
    bands = [(0, 0), (0, SEGMENTS - 1), (2, 5), (SEGMENTS - 1,) * 2]
    for interval in (0, 60, 4000):
        check_costs(geometry, quantized, bands, interval)


@given(st.integers(0, 999), st.integers(1, 7))
def test_cuts(seed: int, segments: int) -> None:
    """Every range costs what the cheapest of all its divisions does."""
    rng = np.random.default_rng(seed)
    costs = np.where(np.tri(segments, k=-1) > 0, np.inf, rng.integers(1, 9, (segments, segments)))
    cuts = Cuts(costs)
    for a in range(segments):
        for e in range(a, segments):
            divisions = []
            for count in range(e - a + 1):
                for inner in itertools.combinations(range(a + 1, e + 1), count):
                    starts = [a, *inner]
                    ends = [*(start - 1 for start in inner), e]
                    divisions.append(sum(costs[band] for band in zip(starts, ends, strict=True)))
            parts = cuts.parts(a, e)
            assert cuts.costs[a, e] == min(divisions) == sum(costs[part] for part in parts)
            assert [n for first, last in parts for n in range(first, last + 1)] == list(
                range(a, e + 1)
            )


@given(st.data())
def test_scripts_are_sound(data: st.DataObject) -> None:
    factors = data.draw(
        st.sampled_from(
            [
                *FACTORS.values(),
                ((1, 1),),
                ((1, 1),) * 2,
                ((2, 2), (1, 1), (1, 1), (2, 2)),
                ((4, 2), (1, 2), (2, 1)),
            ]
        )
    )
    size = data.draw(st.tuples(st.integers(1, 90), st.integers(1, 90)))
    geometry = Geometry(*size, factors)
    quantized = random_coefficients(
        geometry,
        data.draw(st.integers(0, 999)),
        data.draw(st.sampled_from([0, 0.05, 0.5])),
        data.draw(st.sampled_from([1, 20, 16383])),
        data.draw(st.sampled_from([0, 0.7, 1])),
    )
    script = best_script(geometry, quantized)
    assert check_script(script, factors) == script


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_best_is_smaller_than_the_usual(
    photo: np.ndarray, subsampling: str, quality: int
) -> None:
    image = photo[:256, :384]
    best = encode(image, quality=quality, subsampling=subsampling, progressive="search")
    usual = encode(image, quality=quality, subsampling=subsampling, progressive=True)
    assert len(best) < len(usual)
    assert_same_picture(decode(best), decode(usual))
    assert_same_picture(decode(best), pillow_decode(best))


@given(
    image=images(largest=150, longest=900),
    quality=st.integers(1, 100),
    restarts=st.sampled_from(
        [({}, []), ({}, []), ({"restart_interval": 1}, ["-restart", "1B"]),
         ({"restart_interval": 7}, ["-restart", "7B"]), ({"restart_rows": 1}, ["-restart", "1"])]
    ),
)  # fmt: skip
def test_never_larger_than_jpegtrans(
    jpegtran: Callable[..., bytes | None],
    image: np.ndarray,
    quality: int,
    restarts: tuple[dict[str, int], list[str]],
) -> None:
    """With restart markers too, which make many scans dear."""
    options, words = restarts
    sequential = encode(image, quality=quality)
    theirs = jpegtran(sequential, "-copy", "none", "-progressive", "-optimize", *words)
    assert theirs is not None
    ours = encode(image, quality=quality, progressive="search", **options)  # type: ignore[call-overload]
    assert len(ours) <= len(theirs)


def made_level(costs: np.ndarray) -> Level:
    return Level(costs, np.zeros((SEGMENTS, SEGMENTS, 256), np.int32))


@given(st.integers(0, 999), st.integers(0, 3), st.sampled_from([1.0, 0.3]))
def test_composition(seed: int, depth: int, part: float) -> None:
    """All bits of all places are sent, for no more than with any one depth for all of them."""
    rng = np.random.default_rng(seed)
    lengths = np.subtract.outer(-np.arange(SEGMENTS), -np.arange(SEGMENTS)) + 1
    shape = 2 * depth + 1, 3, SEGMENTS, SEGMENTS
    costs = np.where(lengths > 0, rng.uniform(1, 2, shape) * (3 + lengths), np.inf)
    levels = [made_level(each) for each in costs]
    first, refined = levels[: depth + 1], levels[depth + 1 :]
    chosen = scan_search.Component(0, first, refined).best(part)
    dc = Scan((0,), 0, 0, 0, 0)
    check_script([dc, *(scan for scan, _, _ in chosen)], [(1, 1)])

    def cost(scan: Scan) -> float:
        level = refined[scan.Al] if scan.Ah else first[scan.Al]
        band = EDGES.index(scan.Ss), EDGES.index(scan.Se + 1) - 1
        return float(level.costs[:, *band] @ [1, 1, part])

    total = sum(cost(scan) for scan, _, _ in chosen)
    for low in range(depth + 1):
        alone = [first[low], *refined[:low]]
        assert total <= sum(level.cuts(part).costs[0, -1] for level in alone) + 1e-9


def test_depths_may_differ() -> None:
    """Where low places are cheaper sent at once, and high ones with a refinement."""
    costs = np.full((3, 3, SEGMENTS, SEGMENTS), np.inf)
    for a, e in BANDS:
        low, high = max(0, min(e, 4) - a + 1), max(0, e - max(a, 5) + 1)
        costs[0, :, a, e] = 1 + low + 9 * high
        costs[1, :, a, e] = 1 + 3 * low + 2 * high
        costs[2, :, a, e] = 1 + 3 * low + 2 * high
    component = scan_search.Component(2, [made_level(c) for c in costs[:2]], [made_level(costs[2])])
    border = EDGES[5]
    assert [scan for scan, _, _ in component.best(1.0)] == [
        Scan((2,), 1, border - 1, 0, 0),
        Scan((2,), border, 63, 0, 1),
        Scan((2,), border, 63, 1, 0),
    ]


def test_a_flat_picture() -> None:
    """One scan of DC and one of AC for each component."""
    image = picture("flat", (50, 70, 3))
    geometry = Geometry(70, 50, FACTORS["4:4:4"])
    script = best_script(geometry, np.zeros(geometry.size, np.int16))
    assert len(script) == 4
    assert len(encode(image, progressive="search")) < len(encode(image, progressive=True))


def test_the_usual_script_is_one_of_those_that_are_searched() -> None:
    bands = {(EDGES[a], EDGES[e + 1] - 1) for a, e in BANDS}
    for scan in usual_script([(1, 1)] * 3):
        assert scan.Ss == 0 or (scan.Ss, scan.Se) in bands
        assert max(scan.Ah, scan.Al) <= (scan_search.DEEPEST if scan.Ss else scan_search.DEEPEST_DC)


def test_threads_find_the_same_script(monkeypatch):
    monkeypatch.setattr(scan_search, "THREAD_BLOCKS", 100)
    geometry = Geometry(330, 270, [(2, 2), (1, 1), (1, 1)])
    quantized = np.random.default_rng(3).integers(-3, 4, geometry.size).astype(np.int16)
    quantized[np.random.default_rng(4).random(geometry.size) < 0.9] = 0
    with Crew(3) as crew:
        assert best_script(geometry, quantized, crew=crew) == best_script(geometry, quantized)
        for (*_, ours), (*_, alone) in zip(
            levels(geometry, quantized, 0, crew), levels(geometry, quantized), strict=True
        ):
            np.testing.assert_array_equal(ours.counts, alone.counts)
            np.testing.assert_array_equal(ours.costs, alone.costs)
