"""What :func:`pyjpegml.compress` returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Plan:
    """A subsampling that was considered.

    Attributes
    ----------
    subsampling : str
    floor : float
        Loss, ``1 - MS-SSIM``, of colour conversion and sampling alone, estimated where chroma has
        its full size.
    estimate : float or None
        Bytes of a file that meets the target, estimated; None if none can.
    bytes : int or None
        Of the smallest file that was made so and met the target; None if there is none.
    """

    subsampling: str
    floor: float
    estimate: float | None
    bytes: int | None

    def explain(self) -> str:
        """One line."""
        if self.estimate is None:
            return f"{self.subsampling:6s} out of the question: colour alone loses {self.floor:.5f}"
        made = "not tried" if self.bytes is None else f"tried: {self.bytes} bytes"
        return f"{self.subsampling:6s} estimated at {self.estimate:.0f} bytes, {made}"


@dataclass(frozen=True, repr=False)
class Result:
    """A compressed picture.

    Attributes
    ----------
    data : bytes
        The JPEG file.
    ms_ssim : float
        Its score, measured on these bytes.
    met : bool
        Whether the score reaches the target.
    encodes : int
        Sets of coefficients that were reconstructed and scored.
    qtables : tuple of (8, 8) uint16
        Quantization table of each component.
    subsampling : str
        ``"4:2:0"``, ``"4:2:2"``, ``"4:4:0"``, ``"4:4:4"``, or ``"grey"``; of CMYK that of the first
        three components, K being as fine as the first. That of the JPEG, if it was recoded without
        loss.
    target : float
        The score itself, if only a size was asked for.
    width, height : int
    steps : tuple of (str, float, float)
        What was done, in order: a name, the loss ``1 - MS-SSIM`` and the size in bytes then (of the
        scans, as counted, unless coefficients were rounded or recoded). If the name has "estimated"
        in it, so is the loss: that set of levels was seen at half size only.
    notes : tuple of str
        What became of other images in the file: kept, or dropped.
    plans : tuple of Plan
        Subsamplings that were considered, the one that was estimated smallest first.
    """

    data: bytes
    ms_ssim: float
    met: bool
    encodes: int
    qtables: tuple[npt.NDArray[np.uint16], ...]
    subsampling: str
    target: float
    width: int
    height: int
    steps: tuple[tuple[str, float, float], ...] = ()
    notes: tuple[str, ...] = ()
    plans: tuple[Plan, ...] = ()

    def explain(self) -> str:
        """Which plan, of which ones, and what each step saved, in a few lines."""
        chosen = self.subsampling
        if self.qtables:
            dc, *ac = self.qtables[0].ravel().tolist()
            chosen += f", luma steps {dc} (DC), {min(ac)} to {max(ac)} (AC)"
        lines = [chosen, *("  " + plan.explain() for plan in self.plans)]
        before = None
        for name, loss, size in (*self.steps, ("file", 1 - self.ms_ssim, len(self.data))):
            change = "" if not before else f"{(size - before) / before:+9.2%}"
            lines.append(f"{name:26s} MS-SSIM {1 - loss:.5f}  {size:9.0f} bytes{change}")
            before = size
        verdict = "met" if self.met else "NOT MET"
        lines.append(f"target {self.target:g} {verdict}, {self.encodes} encodes")
        return "\n".join([*lines, *self.notes])

    @property
    def bits_per_pixel(self) -> float:
        """Size of the file over the pixels of the picture."""
        return 8 * len(self.data) / (self.width * self.height)

    def __repr__(self) -> str:
        return (
            f"<{self.width}x{self.height} JPEG, {len(self.data)} bytes "
            f"({self.bits_per_pixel:.3f} bits per pixel), MS-SSIM {self.ms_ssim:.6f} "
            f"{'>=' if self.met else '< target'} {self.target:g}, {self.subsampling}, "
            f"{self.encodes} encode{'s' * (self.encodes != 1)}>"
        )


def better(a: Result, b: Result) -> bool:
    """Whether a result is to be preferred: one that passes, then the smaller; else the better."""
    if a.met != b.met:
        return a.met
    return len(a.data) < len(b.data) if a.met else a.ms_ssim > b.ms_ssim
