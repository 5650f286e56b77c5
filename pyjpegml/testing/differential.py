"""Decoders side by side: the same generated files through all of them, and what each made of them.

Every decoder works in a process of its own (:mod:`pyjpegml.testing.guards`). Each file is made from
a seed; pictures of all decoders are compared with those of the first, the *reference*, and every
file falls into one class for each of the others:

- ``equal``, ``near`` (no sample differs by more than `within`), ``differs``, ``shape`` (the picture
  has another size or number of components);
- ``refused``, ``crashed``, ``hung``: no picture;
- ``only here``: a picture, where the reference has none; ``both refused``.

With damaged files the decoders are held to the verdicts of :mod:`pyjpegml.testing.damage` as well:
``accepted`` counts those that gave a picture where an error has to come (libjpeg's decoders warn
and go on), ``rejected`` those that refused what has not changed the picture, though they decode it
without the fault, and ``altered`` those that show another picture for it.

Each class, or reason of a refusal, that is not ``equal`` becomes a :class:`Finding` with the
simplest file that Hypothesis finds for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from .guards import Guard, Outcome, compare
from .sets import example, shrink
from .stream import Corrupted, Stream

Value = Stream | Corrupted

CLASSES = (
    "equal", "near", "differs", "shape", "refused", "crashed", "hung", "only here", "both refused",
)  # fmt: skip
"""What a file can be for a decoder, compared with the reference."""

VERDICTS = ("accepted", "rejected", "altered")
"""How a decoder can go against what is said of a damaged file."""


@dataclass(frozen=True)
class Finding:
    """A kind of file that is not the same to a decoder as to the reference.

    Attributes
    ----------
    decoder : str
    kind : str
        One of :data:`CLASSES` or :data:`VERDICTS`.
    reason : str
        What the decoder said, numbers left out.
    count : int
        How many files.
    largest : int
        Largest difference of a sample.
    seed : int
        Of the first file.
    features : dict
        Share of these files that have a feature, a process, or a fault, if it is well above its
        share of all files.
    example : Stream or Corrupted
        The simplest file that was found.
    """

    decoder: str
    kind: str
    reason: str
    count: int
    largest: int
    seed: int
    features: dict[str, float]
    example: Value


@dataclass
class Tally:
    """What one decoder made of all files.

    Attributes
    ----------
    version : str
    classes, verdicts : Counter
        Of :data:`CLASSES` (the reference has ``equal`` for a picture), and of :data:`VERDICTS`.
    traits : dict of Counter
        The same classes for files of a feature, a process, or a fault.
    slowest : (float, int)
        Most seconds of processor time that a file took, and its seed.
    """

    version: str
    classes: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    traits: dict[str, Counter[str]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, 0)


@dataclass(frozen=True)
class Comparison:
    """All that came of a run.

    Attributes
    ----------
    tallies : dict
        By decoder; the first is the reference.
    findings : tuple of Finding
        In the order of decoders, the most frequent first.
    examples, first, within : int
        Of the run.
    damaged : bool
        Whether the files were damaged.
    traits : Counter
        How many files had a feature, a process, or a fault.
    """

    tallies: dict[str, Tally]
    findings: tuple[Finding, ...]
    examples: int
    first: int
    within: int
    damaged: bool
    traits: Counter[str]


@dataclass(frozen=True)
class Options:
    """How a run is made.

    Attributes
    ----------
    within : int
        Largest difference of samples that still counts as near.
    seconds : float
        A decoder that takes longer over a file hangs.
    megabytes : int
        Most address space of a decoder.
    attempts : int
        How many files may be tried to make the example of a finding simpler; 0 leaves it.
    """

    within: int = 1
    seconds: float = 10.0
    megabytes: int = 4096
    attempts: int = 200


Key = tuple[str, str, str]  # decoder, kind, reason


@dataclass
class _Group:
    """Files of one finding."""

    seed: int
    size: int
    count: int = 0
    largest: int = 0
    traits: Counter[str] = field(default_factory=Counter)


def run(
    strategy: st.SearchStrategy[Any],
    decoders: Sequence[str],
    count: int,
    first: int = 0,
    options: Options | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Comparison:
    """Show files to decoders, and compare what they made of them.

    Parameters
    ----------
    strategy : strategy of Stream or of Corrupted
    decoders : sequence of str
        Names (:data:`pyjpegml.testing.decoders.NAMES`) or command lines; the first is the
        reference.
    count : int
        How many files.
    first : int
        Seed of the first one.
    options : Options, optional
    progress : callable
        Told how many files are done.

    Raises
    ------
    ValueError
        If a decoder is not known, or there are none.
    pyjpegml.testing.guards.DecoderError
        If one cannot be started.

    Examples
    --------
    >>> from pyjpegml.testing import jpeg_streams
    >>> plain = jpeg_streams(["baseline"], max_size=16, components=[1], without=["DNL"])
    >>> comparison = run(plain, ["pillow", "imagecodecs"], 10)
    >>> comparison.tallies["imagecodecs"].classes
    Counter({'equal': 10})
    """
    if not decoders:
        raise ValueError("differential testing needs a decoder")
    if len(set(decoders)) < len(decoders):
        raise ValueError("a decoder is named twice")
    options = options or Options()
    with ExitStack() as stack:
        guards = {
            name: stack.enter_context(Guard(name, options.seconds, options.megabytes))
            for name in decoders
        }
        tallies = {name: Tally(guard.version) for name, guard in guards.items()}
        traits: Counter[str] = Counter()
        groups: dict[Key, _Group] = {}
        damaged = False
        for number in range(first, first + count):
            value = example(strategy, number)
            damaged = isinstance(value, Corrupted)
            has = _traits(value)
            traits.update(has)
            outcomes = _outcomes(guards, value.data)
            for name, outcome in outcomes.items():
                tally = tallies[name]
                tally.slowest = max(tally.slowest, (outcome.seconds, number))
                kind, _ = _classify(outcomes, name, options.within)
                tally.classes[kind] += 1
                for trait in has:
                    tally.traits.setdefault(trait, Counter())[kind] += 1
            keys = _keys(guards, outcomes, value, options.within)
            for key, largest in keys.items():
                if key[1] in VERDICTS:
                    tallies[key[0]].verdicts[key[1]] += 1
                group = groups.setdefault(key, _Group(number, len(value.data)))
                if len(value.data) < group.size:
                    group.seed, group.size = number, len(value.data)
                group.count += 1
                group.largest = max(group.largest, largest)
                group.traits.update(has)
            progress(number - first + 1)
        findings = []
        for key, group in groups.items():
            simplest = _simplest(strategy, guards, key, group.seed, options)
            share = {
                trait: round(n / group.count, 3)
                for trait, n in group.traits.most_common()
                if n / group.count > min(0.9, 1.5 * traits[trait] / count)
            }
            findings.append(Finding(*key, group.count, group.largest, group.seed, share, simplest))
    order = {name: i for i, name in enumerate(decoders)}
    findings.sort(key=lambda f: (order[f.decoder], -f.count))
    return Comparison(tallies, tuple(findings), count, first, options.within, damaged, traits)


def _traits(value: Value) -> set[str]:
    """What is peculiar about a file."""
    stream = value.stream if isinstance(value, Corrupted) else value
    faults = {fault.name for fault in value.faults} if isinstance(value, Corrupted) else set()
    return {stream.frame.process, stream.color_model, *stream.features, *faults}


def _outcomes(guards: dict[str, Guard], data: bytes) -> dict[str, Outcome]:
    """What all decoders make of a file, at the same time."""
    for guard in guards.values():
        guard.send(data)
    return {name: guard.receive() for name, guard in guards.items()}


def _classify(outcomes: dict[str, Outcome], name: str, within: int) -> tuple[str, int]:
    """The class of a file for a decoder, and the largest difference from the reference."""
    outcome, reference = outcomes[name], next(iter(outcomes.values()))
    if outcome.status in ("crashed", "hung"):
        return outcome.status, 0
    if outcome.image is None:
        return ("refused" if outcome is reference or reference.image is not None
                else "both refused"), 0  # fmt: skip
    if reference.image is None:
        return "only here", 0
    return compare(reference.image, outcome.image, within)


def _keys(
    guards: dict[str, Guard], outcomes: dict[str, Outcome], value: Value, within: int
) -> dict[Key, int]:
    """Findings to which a file belongs, and its largest difference."""
    reference = next(iter(guards))
    keys: dict[Key, int] = {}
    for name, outcome in outcomes.items():
        kind, largest = _classify(outcomes, name, within)
        sound = not isinstance(value, Corrupted)
        # the reference refuses damaged files, as it should
        if kind not in ("equal", "both refused") and (sound or name != reference or
                                                      kind != "refused"):  # fmt: skip
            keys[name, kind, _general(outcome.reason)] = largest
        if isinstance(value, Corrupted):
            against = _against(guards[name], outcome, value)
            if against:
                fault = value.fault.name if len(value.faults) == 1 else "several faults"
                keys[name, against, fault] = 0
    return keys


def _against(guard: Guard, outcome: Outcome, value: Corrupted) -> str | None:
    """How a decoder goes against the verdict on a damaged file, if it does."""
    if value.verdict == "error":
        return "accepted" if outcome.image is not None else None
    if value.verdict == "same":
        sound = guard.run(value.stream.data)
        if sound.image is None:
            return None
        if outcome.image is None:
            return "rejected"
        return None if compare(sound.image, outcome.image, 0)[0] == "equal" else "altered"
    return None


def _general(reason: str) -> str:
    """A reason without the numbers in it, in one line."""
    line = " ".join(reason.split())
    return re.sub(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]*\d[0-9a-fA-F]*\b", "#", line)[:120]


def _simplest(
    strategy: st.SearchStrategy[Any],
    guards: dict[str, Guard],
    key: Key,
    seed: int,
    options: Options,
) -> Value:
    """The simplest file of a finding."""

    def belongs(value: Value) -> bool:
        needed = {name: guards[name] for name in (next(iter(guards)), key[0])}
        return key in _keys(needed, _outcomes(needed, value.data), value, options.within)

    value: Value = example(strategy, seed)
    if options.attempts and key[1] != "hung" and belongs(value):
        value = shrink(strategy, seed, belongs, options.attempts)
    return value
