"""ICC profiles: cut into chunks for APP2 segments, and put together again (ICC.1 Annex B.4).

A profile may be longer than a segment. Each chunk stands behind ``ICC_PROFILE 00``, its number
(from 1) and how many there are, one byte each: at most 255 chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

from .segments import APP2, LARGEST_PAYLOAD, Problems

SIGNATURE = b"ICC_PROFILE\0"


def icc_chunks(segments: Sequence[memoryview]) -> tuple[list[memoryview] | None, Problems]:
    """The pieces of an ICC profile in order, and what is wrong, by segment (ICC.1 Annex B.4).

    Each segment holds its number, from 1, how many there are, and a piece of the profile. Pieces
    out of order, empty or twice the same do no harm. What is missing, or numbered in a way that
    contradicts itself, leaves no profile, as in libjpeg: part of one gives wrong colours.

    Parameters
    ----------
    segments : sequence of memoryview
        What stands behind the signature, in file order.

    Returns
    -------
    list of memoryview, or None if it cannot be put together; list of (segment or None, problem)
    """
    problems: Problems = []
    chunks: dict[int, memoryview] = {}
    total = None
    sound = True
    for i, segment in enumerate(segments):
        if len(segment) < 2:
            problems.append((i, "the segment ends before the number of the chunk"))
            continue
        number, its_total, chunk = segment[0], segment[1], segment[2:]
        if total is None:
            total = its_total
        if its_total != total:
            problems.append((i, f"chunk {number} is one of {its_total}, others one of {total}"))
            sound = False
        elif not 1 <= number <= total:
            problems.append((i, f"chunk {number} of {total}; numbers start at 1"))
            sound = False
        elif number in chunks:
            same = chunks[number] == chunk
            problems.append(
                (i, f"chunk {number} is there already{'' if same else ', with other bytes'}")
            )
            sound = sound and same
        else:
            if len(chunk) == 0:
                problems.append((i, f"chunk {number} is empty"))
            chunks[number] = chunk
    if total is None:
        return None, problems
    missing = sorted(set(range(1, total + 1)) - set(chunks))
    if missing:
        names = ", ".join(map(str, missing))
        problems.append((None, f"of {total} chunks these are missing: {names}"))
    if missing or not sound:
        return None, problems
    numbers = sorted(chunks)
    if numbers != list(chunks):
        problems.append((None, "the chunks are out of order"))
    ordered = [chunks[number] for number in numbers]
    size = sum(len(chunk) for chunk in ordered)
    if size == 0:
        return None, [*problems, (None, "all chunks are empty")]
    # its own first four bytes say the size (ICC.1 7.2.2)
    said = int.from_bytes(b"".join(chunk[:4] for chunk in ordered)[:4], "big")
    if said != size:
        problems.append((None, f"the profile says it has {said} bytes, and it has {size}"))
    return ordered, problems


def icc_segments(profile: bytes) -> tuple[tuple[int, bytes], ...]:
    """Code and payload of the segments that hold an ICC profile (ICC.1 Annex B.4).

    Raises
    ------
    ValueError
        If it is empty, or longer than 255 segments can hold: 16707345 bytes.
    """
    step = LARGEST_PAYLOAD - len(SIGNATURE) - 2
    if not 1 <= len(profile) <= 255 * step:
        raise ValueError(f"an ICC profile has 1 to {255 * step} bytes, not {len(profile)}")
    chunks = [profile[at : at + step] for at in range(0, len(profile), step)]
    return tuple(
        (APP2, SIGNATURE + bytes([number, len(chunks)]) + chunk)
        for number, chunk in enumerate(chunks, 1)
    )
