"""The entropy-coded data of a scan, between its header and the next marker (T.81 B.1.1.5).

:class:`Coded` takes the stuffing out (:func:`pyjpegml.bitio.destuff`), says which restart intervals
are there, and where in the file a bit of them stands.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import bitio, markers, scan
from .errors import JpegFormatError
from .progressive import EOB_RUN_TOO_LONG

#: What the status of a scan decoder means.
MEANINGS = {
    scan.ENDED_EARLY: "entropy-coded data end early",
    scan.BAD_CODE: "bits that are no Huffman code",
    scan.RUN_TOO_LONG: "a run of zeros goes beyond the block",
    scan.BAD_CATEGORY: "a category above 15",
    EOB_RUN_TOO_LONG: "a run of ends of blocks goes beyond the data",
}


class Coded:
    """Entropy-coded data without their stuffing.

    Parameters
    ----------
    view : memoryview
        The whole file.
    start : int
        Offset of the first byte behind the scan header.
    intervals : int
        How many restart intervals there should be.

    Attributes
    ----------
    plain : (n,) uint8
        Bytes without stuffing, and PADDING.
    ends : (found,) int64
        End of each interval in `plain`.
    numbers : (found,) int64
        Number of the restart marker behind each; -1 for another marker, or the end of the data.
    offsets : (found,) int64
        Offset of that marker.
    found : int
        How many intervals there are, at most ``intervals + 1``.
    """

    def __init__(self, view: memoryview, start: int, intervals: int) -> None:
        self.view, self.start, self.intervals = view, start, intervals
        data = np.frombuffer(view, np.uint8)
        self.plain = np.empty(data.size - start + bitio.PADDING, np.uint8)
        # no more intervals than asked for, and no more than the data can hold
        ends, numbers, offsets = np.empty((3, min(intervals, data.size - start) + 1), np.int64)
        found, end = bitio.destuff(data, start, self.plain, ends, numbers, offsets)
        self.found, self._read = int(found), int(end)
        self.ends, self.numbers, self.offsets = (a[:found] for a in (ends, numbers, offsets))

    @cached_property
    def end(self) -> int:
        """Offset of the marker that ends the scan, which may go on behind what was read."""
        if self.found <= self.intervals:
            return self._read
        return markers.end_of_scan(self.view, self._read)

    def misnumbered(self) -> JpegFormatError | None:
        """An error if a restart marker is not the one that should stand there (T.81 E.2.4)."""
        count = min(self.found, self.intervals) - 1
        if count == 0:
            return None
        expected = np.arange(count) % 8
        for i in np.flatnonzero(self.numbers[: expected.size] != expected)[:1]:
            return self._error(f"restart marker RST{self.numbers[i]} where RST{i % 8} should be", i)
        return None

    def incomplete(self) -> JpegFormatError | None:
        """An error if there are fewer intervals than there should be."""
        if self.found >= self.intervals:
            return None
        return self._error(
            f"{self.found} restart intervals where {self.intervals} should be", self.found - 1
        )

    def surplus(self) -> list[str]:
        """A warning if a restart marker stands behind the last interval; nothing needs it."""
        if self.found <= self.intervals:
            return []
        offset = int(self.offsets[self.intervals - 1])
        return [
            f"a restart marker behind the last of {self.intervals} intervals, at byte {offset}"
        ]

    def placed(self) -> tuple[npt.NDArray[np.int64], dict[int, int]]:
        """Where the intervals that were found belong, by the numbers of the markers (T.81 E.2.4).

        Returns
        -------
        ends : (intervals,) int64
            End in `plain` of each interval that should be there; of one that was lost, that of the
            one before.
        found : dict of int to int
            For each interval that is there, which of the found ones it is.
        """
        ends = np.empty(self.intervals, np.int64)
        found: dict[int, int] = {}
        place, start = 0, 0
        for i in range(self.found):
            if place >= self.intervals:
                break
            found[place] = i
            start = int(self.ends[i])
            skipped = (int(self.numbers[i]) - place) % 8 if self.numbers[i] >= 0 else 0
            ends[place : place + 1 + skipped] = start
            place += 1 + skipped
        ends[place:] = start
        return ends, found

    def broken(
        self, status: int, reader: npt.NDArray[np.int64], mcus: int, interval: int
    ) -> JpegFormatError:
        """The error of a scan decoder that has stopped at the reader's bit.

        `interval` is the one that it was in, of those that were found.
        """
        start, read = self.start, int(reader[scan.BIT]) // 8
        if interval > 0:
            start = int(self.offsets[interval - 1]) + 2
            read -= int(self.ends[interval - 1])
        return JpegFormatError(
            f"{MEANINGS[status]}, in MCU {reader[scan.MCU]} of {mcus}",
            offset=self._stuffed_offset(start, read),
            marker="SOS",
        )

    def _error(self, message: str, interval: int) -> JpegFormatError:
        offset = int(self.offsets[min(interval, self.found - 1)])
        return JpegFormatError(message, offset=offset, marker="SOS")

    def _stuffed_offset(self, start: int, count: int) -> int:
        """Where the `count`-th byte of an interval without its stuffing stands."""
        text = bytes(self.view[start : start + 2 * count])
        offset = count
        while (further := count + text.count(b"\xff\0", 0, offset)) > offset:
            offset = further
        return min(start + offset, len(self.view))
