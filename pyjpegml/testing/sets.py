"""Examples by number: each is made anew from its seed, alone or in sets, and kept as files.

Hypothesis decides what comes of a seed, so that the same version makes the same example of it, on
any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import hypothesis
import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from pyjpegml import __version__

from .stream import Corrupted, Stream

T = TypeVar("T")

MANIFEST = "manifest.json"
"""Name of the file that describes the others of a set."""


def example(strategy: st.SearchStrategy[T], number: int) -> T:
    """The example of a strategy that belongs to a seed.

    Parameters
    ----------
    strategy : strategy
    number : int
        The seed.

    Examples
    --------
    >>> from pyjpegml.testing import jpeg_streams
    >>> example(jpeg_streams(), 5).data == example(jpeg_streams(), 5).data
    True
    """
    made: list[T] = []
    _run(strategy, number, made.append, [Phase.generate])
    return made[-1]  # Hypothesis begins with the simplest example of all, whatever the seed


def examples(strategy: st.SearchStrategy[T], count: int, first: int = 0) -> Iterator[tuple[int, T]]:
    """Seeds from `first` on, and their examples.

    Parameters
    ----------
    strategy : strategy
    count : int
        How many.
    first : int
        The first seed.
    """
    for number in range(first, first + count):
        yield number, example(strategy, number)


class _FoundError(Exception):
    """Tells Hypothesis that an example is of the kind that is looked for."""


def shrink(
    strategy: st.SearchStrategy[T],
    number: int,
    is_wanted: Callable[[T], bool],
    attempts: int = 300,
) -> T:
    """The simplest example that is still wanted, as far as some attempts lead.

    Parameters
    ----------
    strategy : strategy
    number : int
        Seed of an example that is wanted.
    is_wanted : callable
        Whether an example is.
    attempts : int
        How often it may be called.

    Raises
    ------
    ValueError
        If the example of the seed is not wanted.

    Examples
    --------
    >>> from pyjpegml.testing import jpeg_streams
    >>> wide = shrink(jpeg_streams(), 5, lambda stream: stream.frame.width > 9)
    >>> wide.frame.width, wide.frame.height
    (10, 1)
    """
    best: list[T] = []
    left = attempts

    def look(value: T) -> None:
        nonlocal left
        if left <= 0:
            return
        left -= 1
        if is_wanted(value):
            best.append(value)
            raise _FoundError

    try:
        _run(strategy, number, look, [Phase.generate, Phase.shrink])
    except Exception:  # what was found, or that it is no longer so once the attempts are spent
        if not best:
            raise
    if not best:
        raise ValueError(f"the example of seed {number} is not of the kind that is to be shrunk")
    return best[-1]


def _run(
    strategy: st.SearchStrategy[T], number: int, look: Callable[[T], None], phases: list[Phase]
) -> None:
    """Show the simplest example and that of the seed, and what shrinking tries.

    Hypothesis makes the second example differ from the simplest one in the first choice that it
    makes; a number that nobody looks at is that choice, so that all others are free.
    """

    @seed(number)
    @settings(
        max_examples=2,
        phases=phases,
        database=None,
        deadline=None,
        derandomize=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.integers(0, 2**64 - 1), strategy)
    def run(_: int, value: T) -> None:
        look(value)

    with _whatever_is_imported():
        run()


def _whatever_is_imported() -> AbstractContextManager[Any]:
    """Keep Hypothesis from drawing numbers that it has read in the modules which are loaded.

    It has no setting for it; versions that do not do so need nothing.
    """
    if not hasattr(providers, "_get_local_constants"):
        return nullcontext()
    nothing = type(providers._get_local_constants())()
    cache = type(providers.CONSTANTS_CACHE)(1024)  # of what may be drawn where
    return patch.multiple(providers, _get_local_constants=lambda: nothing, CONSTANTS_CACHE=cache)


def facts(value: Stream | Corrupted) -> dict[str, Any]:
    """What a stream is, and what a decoder has to make of it, as JSON has it.

    Parameters
    ----------
    value : Stream or Corrupted

    Returns
    -------
    dict
        ``verdict`` is ``"equal"`` for a sound stream: its content has to come as it is.
    """
    stream = value.stream if isinstance(value, Corrupted) else value
    faults = value.faults if isinstance(value, Corrupted) else ()
    frame = stream.frame
    return {
        "bytes": len(value.data),
        "sha256": hashlib.sha256(value.data).hexdigest(),
        "verdict": value.verdict if isinstance(value, Corrupted) else "equal",
        "faults": [vars(fault) for fault in faults],
        "process": frame.process,
        "precision": frame.precision,
        "width": frame.width,
        "height": frame.height,
        "sampling": [[c.h, c.v] for c in frame.components],
        "color_model": stream.color_model,
        "scans": len(stream.scans),
        "complete": stream.complete,
        "features": sorted(stream.features),
    }


def export(folder: Path | str, examples: Iterable[tuple[int, Stream | Corrupted]]) -> Path:
    """Write a set of files: ``SEED.jpg``, their content as ``SEED.npz``, and a manifest.

    The manifest is JSON: versions, and for each file what :func:`facts` says. In an ``.npz`` are
    ``coefficients0`` and ``qtable0`` of the first component and so on, or ``samples0`` of a
    lossless file, those of the sound stream; damaged files whose verdict is not ``"same"`` have
    none.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    examples : iterable of (int, Stream or Corrupted)
        Seeds and examples, as :func:`examples` gives them.

    Returns
    -------
    Path
        Of the manifest.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, value in examples:
        name = f"{number:06}"
        (folder / f"{name}.jpg").write_bytes(value.data)
        entry = {"file": f"{name}.jpg", "seed": number, **facts(value)}
        if entry["verdict"] in ("equal", "same"):
            stream = value.stream if isinstance(value, Corrupted) else value
            arrays: dict[str, npt.NDArray[Any]] = {
                f"coefficients{i}": plane for i, plane in enumerate(stream.coefficients)
            }
            arrays |= {f"qtable{i}": table for i, table in enumerate(stream.qtables)}
            arrays |= {f"samples{i}": plane for i, plane in enumerate(stream.samples)}
            np.savez_compressed(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]
            entry["content"] = f"{name}.npz"
        files.append(entry)
    manifest = folder / MANIFEST
    made_by = {"pyjpegml": __version__, "hypothesis": hypothesis.__version__}
    text = json.dumps({"made_by": made_by, "files": files}, indent=1)
    manifest.write_text(text + "\n", encoding="utf-8")
    return manifest
