"""The order of progressive scans: what they may be, and how much they have told (T.81 G.1.1).

T.81 has the first scan of a component be one of DC, each coefficient's first scan come before its
refinements, and each refinement take up where the scan before left off. Files that break these
rules are decoded all the same by libjpeg-turbo, with a warning: the bits say what to do. What no
decoder can make sense of is an error: see :meth:`Progression.begin`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .errors import JpegFormatError

#: Largest point transform of any scan (T.81 Table B.3).
LARGEST_SHIFT = 13


class Progression:
    """How much of each coefficient the scans so far have sent.

    Parameters
    ----------
    components : int
        How many the frame has.

    Attributes
    ----------
    coef_bits : (components, 64) int64
        For each coefficient, zigzag order: -1 if nothing of it is known yet, else how many of its
        lowest bits are still missing.
    previous : (components, 64) int64
        The same before the last scan of each component. What is missing of that scan, if the data
        end within it, is known as this array says.
    scans : int
        How many scans have begun.
    """

    def __init__(self, components: int) -> None:
        self.coef_bits: npt.NDArray[np.int64] = np.full((components, 64), -1, np.int64)
        self.previous: npt.NDArray[np.int64] = np.full((components, 64), -1, np.int64)
        self.scans = 0

    def begin(
        self, components: Sequence[int], start: int, end: int, high: int, low: int
    ) -> list[str]:
        """Check the parameters of the next scan (T.81 G.1.1.1, Table B.3), and take them over.

        Parameters
        ----------
        components : sequence of int
            Index in the frame of each component of the scan.
        start, end : int
            Spectral selection.
        high, low : int
            Successive approximation.

        Returns
        -------
        list of str
            Warnings: the scan does not follow those before. As for libjpeg-turbo, that is no error;
            what comes of it is what the bits say.

        Raises
        ------
        JpegFormatError
            If no scan may have these parameters.
        """
        what = f"spectral selection {start} to {end}, successive approximation {high}, {low}"
        if start == 0 and end != 0:
            raise JpegFormatError(f"{what}: a progressive scan has DC, 0 to 0, or AC, from 1 on")
        if start > end or end > 63:
            raise JpegFormatError(f"{what}: a band goes upwards from 1 to 63 at most")
        if start > 0 and len(components) != 1:
            raise JpegFormatError(
                f"{what}: a scan of AC has one component, not {len(components)}; only DC may be "
                "interleaved"
            )
        if high not in (0, low + 1):
            raise JpegFormatError(f"{what}: a refinement sends one bit, as from {low + 1} to {low}")
        if low > LARGEST_SHIFT:
            raise JpegFormatError(f"{what}: the point transform is {LARGEST_SHIFT} at most")
        warnings = []
        self.scans += 1
        for component in components:
            bits, previous = self.coef_bits[component], self.previous[component]
            if start > 0 and bits[0] < 0:
                warnings.append(f"{what}: AC of component {component} before its DC")
            # libjpeg-turbo's smoothing looks at ten coefficients, and these it keeps
            kept = slice(min(start, 1), max(end, 9) + 1)
            previous[kept] = bits[kept] if self.scans > 1 else 0
            if (np.maximum(bits[start : end + 1], 0) != high).any():
                warnings.append(f"{what}: the scans of component {component} before say otherwise")
            bits[start : end + 1] = low
        return warnings

    def known(self, component: int, sound: bool) -> npt.NDArray[np.int64]:
        """What smoothing takes as known of a component's coefficients, as in :attr:`coef_bits`.

        Parameters
        ----------
        component : int
        sound : bool
            False for rows of MCUs below the last one that the data of the last scan reach: there
            libjpeg-turbo goes by what was known before.
        """
        known = self.coef_bits if sound else self.previous
        if not sound and self.scans < 2:
            known = np.full_like(known, -1)
        bits: npt.NDArray[np.int64] = known[component]
        return bits
