"""APPn and COM segments: what the files about metadata share.

How defects are told: a parser never raises. It returns beside its value a list of *problems*, each
with the number of the segment (among those it was given) and a text; :attr:`Metadata.warnings`
adds the kind and the byte offset.
"""

from __future__ import annotations

from collections.abc import Sequence

from .markers import COM

APP1, APP2 = 0xE1, 0xE2

#: Bytes that one marker segment holds behind its length (T.81 B.1.1.4).
LARGEST_PAYLOAD = 65533

Payload = bytes | memoryview

#: (number of the segment, or None if it is about none of them; what is wrong)
Problems = list[tuple[int | None, str]]


def first_counts(segments: Sequence[memoryview]) -> Problems:
    """One problem for each segment but the first."""
    return [(i, "there is one already; this one does not count") for i in range(1, len(segments))]


def last_counts(segments: Sequence[memoryview]) -> Problems:
    """One problem if there are several."""
    if len(segments) < 2:
        return []
    return [(len(segments) - 1, f"there are {len(segments)} of them; the last counts")]


def comment_segment(comment: bytes | str) -> tuple[int, bytes]:
    """Code and payload of the segment that holds a comment (T.81 B.2.4.5), text as UTF-8.

    Raises
    ------
    ValueError
        If it is longer than 65533 bytes; two segments would be two comments.
    """
    if isinstance(comment, str):
        comment = comment.encode()
    if len(comment) > LARGEST_PAYLOAD:
        raise ValueError(f"a comment has at most {LARGEST_PAYLOAD} bytes, not {len(comment)}")
    return COM, comment
