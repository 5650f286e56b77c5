"""Chains of encode, recode, transform and decode, against a model that is arrays of coefficients.

Hypothesis makes the chains. A file stands beside what has to be in it: after each step the file is
read, and nothing of it may differ from the model, to which NumPy has done the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import oracles
import pytest
from helpers import plain_file
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import pyjpegml
from pyjpegml.testing import (
    PROCESSES,
    Component,
    Frame,
    Segments,
    Stream,
    images,
    jpeg_streams,
    make_legal,
    metadata,
)

Array = npt.NDArray[Any]

DCT_PROCESSES = [process for process in PROCESSES if process != "lossless"]

#: What mirroring from left to right does to a coefficient: odd columns change their sign.
MIRROR = np.where(np.arange(8) % 2, -1, 1)

#: Each turn as transposition, and mirrors from left to right and from top to bottom behind it.
TURNS = {
    "none": "",
    "flip-horizontal": "h",
    "flip-vertical": "v",
    "rotate180": "hv",
    "transpose": "t",
    "rotate90": "th",
    "rotate270": "tv",
    "transverse": "thv",
}

#: By Exif's orientation, 2 to 8.
UPRIGHT = dict(enumerate(
    ["flip-horizontal", "rotate180", "flip-vertical", "transpose", "rotate90", "transverse",
     "rotate270"], 2,
))  # fmt: skip


class RefusedError(Exception):
    """The model cannot do it either."""


@dataclass(frozen=True)
class Model:
    """What is in a file."""

    frame: Frame
    coefficients: list[Array]  # blocks that hold samples of the picture, natural order
    qtables: list[Array]
    color: str
    orientation: int = 1

    @property
    def factors(self) -> list[tuple[int, int]]:
        """Blocks of each component in an MCU; of a single one it is one block (T.81 A.2.2)."""
        factors = [(c.h, c.v) for c in self.frame.components]
        return factors if len(factors) > 1 else [(1, 1)]

    @property
    def unit(self) -> tuple[int, int]:
        """Width and height of an MCU."""
        return 8 * max(h for h, _ in self.factors), 8 * max(v for _, v in self.factors)

    def transposed(self) -> Model:
        frame = replace(
            self.frame,
            width=self.frame.height,
            height=self.frame.width,
            components=tuple(replace(c, h=c.v, v=c.h) for c in self.frame.components),
        )
        blocks = [plane.transpose(1, 0, 3, 2) for plane in self.coefficients]
        return replace(self, frame=frame, coefficients=blocks, qtables=[q.T for q in self.qtables])

    def mirrored(self, edges: str) -> Model:
        """From left to right, MCUs that are whole."""
        width, unit = self.frame.width, self.unit[0]
        if width % unit and (edges == "refuse" or (edges == "trim" and width < unit)):
            raise RefusedError
        planes = []
        for (h, _), plane in zip(self.factors, self.coefficients, strict=True):
            whole = width // unit * h
            turned = plane.copy()
            turned[:, :whole] = plane[:, whole - 1 :: -1] * MIRROR if whole else 0
            planes.append(turned)
        mirrored = replace(self, coefficients=planes)
        trimmed = width - width % unit if edges == "trim" else width
        return mirrored.cropped((0, 0, trimmed, self.frame.height))

    def turned(self, op: str, edges: str) -> Model:
        model = self
        for step in TURNS[op]:
            if step == "t":
                model = model.transposed()
            elif step == "h":
                model = model.mirrored(edges)
            else:
                model = model.transposed().mirrored(edges).transposed()
        return model

    def cropped(self, region: tuple[int, int, int, int]) -> Model:
        """A region that begins at the corner of an MCU."""
        x, y, width, height = region
        frame = replace(self.frame, width=width, height=height)
        planes = []
        for i, (h, v) in enumerate(self.factors):
            down, across = frame.unit_size(i)
            top, left = y // self.unit[1] * v, x // self.unit[0] * h
            planes.append(self.coefficients[i][top : top + down, left : left + across])
        return replace(self, frame=frame, coefficients=planes)

    def grey(self) -> Model:
        if self.color == "grey":
            return self
        luma = self.frame.components[0]
        if self.color != "YCbCr" or (8 * luma.h, 8 * luma.v) != self.unit:
            raise RefusedError
        frame = replace(self.frame, components=(replace(luma, h=1, v=1),))
        return replace(
            self,
            frame=frame,
            coefficients=self.coefficients[:1],
            qtables=self.qtables[:1],
            color="grey",
        )


def read_by_oracle(data: bytes) -> Model:
    """A sequential file of one scan, by a decoder that was written from T.81 Annex F.2."""
    segments, coded = oracles.file_parts(data)
    [sof] = [payload for code, payload in segments if code in (0xC0, 0xC1)]
    steps = {}
    for payload in (payload for code, payload in segments if code == 0xDB):
        while payload:
            size = 128 if payload[0] >> 4 else 64
            values = np.frombuffer(payload, ">u2" if size == 128 else "u1", 64, 1)
            table = np.empty(64, np.uint16)
            table[oracles.ZIGZAG] = values
            steps[payload[0] & 15] = table.reshape(8, 8)
            payload = payload[1 + size :]
    components = [
        Component(sof[at], sof[at + 1] >> 4, sof[at + 1] & 15, sof[at + 2])
        for at in range(6, len(sof), 3)
    ]
    height, width = int.from_bytes(sof[1:3], "big"), int.from_bytes(sof[3:5], "big")
    frame = Frame("baseline", sof[0], width, height, tuple(components))
    tables = oracles.file_huffman_tables(data)
    scan = segments[-1][1]
    codes = {}
    for i in range(len(components)):
        slots = scan[2 + 2 * i]
        codes[i, "DC"] = oracles.canonical_codes(*tables[slots >> 4])
        codes[i, "AC"] = oracles.canonical_codes(*tables[0x10 | (slots & 15)])
    mcus = list(oracles.mcu_blocks(width, height, [(c.h, c.v) for c in components]))
    planes = [np.zeros((*frame.unit_size(i), 8, 8), np.int64) for i in range(len(components))]
    read = oracles.decode_scan(coded, [[i for i, *_ in mcu] for mcu in mcus], codes)
    for places, blocks in zip(mcus, read, strict=True):
        for (i, row, column, real), block in zip(places, blocks, strict=True):
            if real:
                planes[i][row, column] = np.reshape(block, (8, 8))
    return Model(
        frame, planes, [steps[c.table] for c in components],
        "grey" if len(components) == 1 else "YCbCr",
    )  # fmt: skip


class Chains(RuleBasedStateMachine):
    """A file and its model."""

    data: bytes
    model: Model

    @initialize(
        image=images(max_size=40),
        quality=st.integers(1, 100),
        subsampling=st.sampled_from(["4:4:4", "4:2:0", "4:2:2", "4:4:0", "4:1:1", "4:1:0"]),
        progressive=st.sampled_from([False, True, "search"]),
        interval=st.integers(0, 5),
        segments=metadata(jfif=False),
    )
    def encode(
        self,
        image: Array,
        quality: int,
        subsampling: str,
        progressive: bool | str,
        interval: int,
        segments: Segments,
    ) -> None:
        options: dict[str, Any] = {"quality": quality}
        if image.ndim == 3:
            options["subsampling"] = subsampling
        sequential = pyjpegml.encode(image, progressive=False, **options)
        self.model = replace(read_by_oracle(sequential), orientation=segments.orientation)
        self.data = segments.inserted(
            pyjpegml.encode(image, progressive=progressive, restart_interval=interval, **options)
        )

    @initialize(
        stream=jpeg_streams(DCT_PROCESSES, 32, without=["DNL", "fractional sampling"]),
        segments=metadata(jfif=False),
    )
    def take(self, stream: Stream, segments: Segments) -> None:
        self.model = Model(
            stream.frame, list(stream.coefficients), list(stream.qtables), stream.color_model,
            segments.orientation,
        )  # fmt: skip
        self.data = segments.inserted(stream.data)

    @rule(
        progressive=st.sampled_from([False, True, "search"]),
        interval=st.sampled_from(["any", None, 0, 1, 3, 100]),
        kept=st.sampled_from(["keep", "strip"]),
    )
    def recode(self, progressive: bool | str, interval: Any, kept: str) -> None:
        self.data = pyjpegml.recode(
            self.data, progressive=progressive, restart_interval=interval, metadata=kept
        )

    @rule(
        op=st.sampled_from([*TURNS, "orient"]),
        edges=st.sampled_from(["leave", "trim", "refuse"]),
        progressive=st.sampled_from([None, False, True]),
        interval=st.sampled_from([None, 0, 2]),
    )
    def turn(self, op: str, edges: str, progressive: bool | None, interval: int | None) -> None:
        def run() -> bytes:
            return pyjpegml.transform(
                self.data, op, edges=edges, progressive=progressive, restart_interval=interval
            )

        turn = UPRIGHT.get(self.model.orientation, "none") if op == "orient" else op
        try:
            model = self.model.turned(turn, edges)
        except RefusedError:
            with pytest.raises(ValueError, match="is mirrored in units of"):
                run()
            return
        self.model = replace(model, orientation=1) if op == "orient" else model
        self.data = run()

    @rule()
    def make_grey(self) -> None:
        try:
            self.model = self.model.grey()
        except RefusedError:
            with pytest.raises(ValueError, match="luma"):
                pyjpegml.transform(self.data, grey=True)
            return
        self.data = pyjpegml.transform(self.data, grey=True)

    @rule(data=st.data())
    def crop(self, data: st.DataObject) -> None:
        region = []
        sides = (self.model.frame.width, self.model.frame.height)
        for side, unit in zip(sides, self.model.unit, strict=True):
            start = unit * data.draw(st.integers(0, (side - 1) // unit))
            region.append((start, data.draw(st.integers(1, side - start))))
        (x, width), (y, height) = region
        self.model = self.model.cropped((x, y, width, height))
        self.data = pyjpegml.transform(self.data, region=(x, y, width, height))

    @rule(data=st.data(), value=st.integers(-100, 100), progressive=st.booleans())
    def change_a_coefficient(self, data: st.DataObject, value: int, progressive: bool) -> None:
        found = pyjpegml.decode_coefficients(self.data)
        i = data.draw(st.integers(0, len(found.components) - 1))
        place = tuple(data.draw(st.integers(0, n - 1)) for n in found.components[i].shape)
        plane = self.model.coefficients[i].astype(np.int64)
        plane[place] = value
        plane = make_legal(plane, self.model.qtables[i], self.model.frame.precision)
        self.model.coefficients[i] = plane
        found.components[i][...] = plane
        self.data = pyjpegml.encode_coefficients(found, progressive=progressive)

    @rule(data=st.data())
    def decode(self, data: st.DataObject) -> None:
        """Pixels of the file, and of a part of it, are those of the model in a file of its own."""
        pixels = pyjpegml.decode(self.data, color="stored")
        model = self.model
        again = plain_file(model.frame, model.coefficients, model.qtables)
        np.testing.assert_array_equal(pixels, pyjpegml.decode(again, color="stored"))
        height, width = pixels.shape[:2]
        y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        part = (x, y, width - x, data.draw(st.integers(1, height - y)))
        np.testing.assert_array_equal(
            pyjpegml.decode(self.data, color="stored", region=part),
            pixels[y : y + part[3], x:],
        )

    @invariant()
    def nothing_else_is_in_the_file(self) -> None:
        found, frame = pyjpegml.decode_coefficients(self.data), self.model.frame
        header = found.header
        assert (header.width, header.height) == (frame.width, frame.height)
        assert header.precision == frame.precision
        assert header.metadata.orientation == self.model.orientation
        factors = [(c.h, c.v) for c in header.components]
        assert factors == [(c.h, c.v) for c in frame.components]
        for got, expected in zip(found.components, self.model.coefficients, strict=True):
            np.testing.assert_array_equal(got, expected)
        for got, expected in zip(found.qtables, self.model.qtables, strict=True):
            np.testing.assert_array_equal(got, expected)


TestChains = Chains.TestCase
TestChains.settings = settings(max_examples=60, stateful_step_count=12)
