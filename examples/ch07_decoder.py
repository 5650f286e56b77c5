"""
7. A decoder in a hundred lines
===============================

The stages of chapters 1 to 6 backwards, put together here from functions of the codec's stages and
of NumPy: markers, Huffman codes, levels times steps, inverse DCT, chroma enlarged, colour. What
comes out is equal to
:func:`pyjpegml.decode`, and so to libjpeg-turbo, in every pixel. It reads what ``encode``
writes by default: sequential files of one scan, grey or YCbCr, 4:4:4 or 4:2:0.

The photographs are Coffee (Rachel Michetti, CC0), Chelsea the cat (Stéfan van der Walt, CC0) and
the astronaut Eileen Collins (NASA, public domain), from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml import markers
from pyjpegml.coded import Coded
from pyjpegml.coefficients import Geometry
from pyjpegml.explorer.trace import BitReader, read_block, symbols_of

# %%
# From bytes to levels
# --------------------
# Tables are collected on the way to the scan. In the scan, MCU after MCU: of each component H x V
# blocks (T.81, A.2.3), whose DC is predicted from the block before.


def levels_of(data):
    """Geometry, quantization tables by component, and all levels as the codec lays them out."""
    qtables, codes = {}, {}
    for segment in markers.segments(data):
        if segment.name == "DQT":
            qtables |= markers.parse_qtables(segment)
        elif segment.name == "DHT":
            codes |= {k: symbols_of(t) for k, t in markers.parse_huffman_tables(segment).items()}
        elif segment.name in ("SOF0", "SOF1"):
            frame = markers.parse_frame(segment)
        elif segment.name == "SOS":
            scan = markers.parse_scan(segment)
            break
    geometry = Geometry(frame.width, frame.height, [(c.h, c.v) for c in frame.components])
    levels = np.zeros(geometry.size, np.int16)
    reader = BitReader(Coded(memoryview(data), segment.end, 1))
    predictions = [0] * len(frame.components)
    for mcu in range(geometry.mcus):
        mcu_row, mcu_column = divmod(mcu, geometry.mcus_across)
        for c, (plane, (_, dc, ac)) in enumerate(
            zip(geometry.planes, scan.components, strict=True)
        ):
            blocks = geometry.view(levels, c)
            for v in range(plane.v):
                for h in range(plane.h):
                    _, block = read_block(reader, codes[dc], codes[4 + ac], predictions[c])
                    predictions[c] = int(block[0])
                    blocks[mcu_row * plane.v + v, mcu_column * plane.h + h] = block
    return geometry, [qtables[c.table] for c in frame.components], levels


# %%
# From levels to samples
# ----------------------
# The inverse DCT is defined with real numbers, and decoders may differ in the last bit. This one
# computes as libjpeg does: integers with 13 fractional bits (Loeffler, Ligtenberg and
# Moschytz 1989). :mod:`pyjpegml.dct` tells how;
# :meth:`pyjpegml.coefficients.Geometry.reconstruct` multiplies by the steps and does it.
#
# Chroma: the triangle filter of chapter 3.


def enlarged(plane):
    """Twice the rows and columns, by weights 9, 3, 3, 1 sixteenths."""
    rows = np.pad(plane.astype(np.int32), 1, "edge")
    out = np.empty((2 * plane.shape[0], 2 * plane.shape[1]), np.int32)
    for odd, far in ((0, rows[:-2]), (1, rows[2:])):
        line = 3 * rows[1:-1] + far
        out[odd::2, 0::2] = (3 * line[:, 1:-1] + line[:, :-2] + 8) >> 4
        out[odd::2, 1::2] = (3 * line[:, 1:-1] + line[:, 2:] + 7) >> 4
    return out


# %%
# From samples to pixels
# ----------------------
# The matrix of chapter 2 backwards, with factors of 16 fractional bits (T.871, clause 7).


def to_rgb(y, cb, cr):
    """RGB of three planes of one size, rounded as libjpeg rounds."""
    y, cb, cr = y.astype(np.int32), cb.astype(np.int32) - 128, cr.astype(np.int32) - 128
    red = y + ((91881 * cr + 32768) >> 16)
    green = y + ((-22554 * cb - 46802 * cr + 32768) >> 16)
    blue = y + ((116130 * cb + 32768) >> 16)
    return np.clip(np.stack([red, green, blue], 2), 0, 255).astype(np.uint8)


def decode(data):
    """Pixels of a sequential JPEG, grey or YCbCr, 4:4:4 or 4:2:0."""
    geometry, qtables, levels = levels_of(data)
    planes = [
        samples[: plane.height, : plane.width]
        for samples, plane in zip(
            geometry.reconstruct(levels, qtables), geometry.planes, strict=True
        )
    ]
    if len(planes) == 1:
        return planes[0]
    if geometry.v_max == 2:
        planes[1:] = [enlarged(plane) for plane in planes[1:]]
    height, width = geometry.height, geometry.width
    return to_rgb(*(plane[:height, :width] for plane in planes))


# %%
# Equal in every pixel
# --------------------
folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for axis, name, subsampling in zip(
    axes, ("coffee", "chelsea", "astronaut"), ("4:2:0", "4:4:4", "4:2:0"), strict=True
):
    photo = iio.imread(folder / "data" / f"{name}.png")
    data = pyjpegml.encode(photo, quality=60, subsampling=subsampling)
    pixels = decode(data)
    assert np.array_equal(pixels, pyjpegml.decode(data))
    axis.imshow(pixels)
    axis.set_title(f"{name}, {subsampling}, {len(data)} bytes: equal", fontsize=9)
    axis.axis("off")
plt.show()
grey = pyjpegml.encode(photo[:203, :301, 1], quality=90)
assert np.array_equal(decode(grey), pyjpegml.decode(grey))

# %%
# Exercises
# ---------
# *Where does the time go?* Into :func:`levels_of`: a hundred thousand symbols, each looked up bit
# by bit. :mod:`pyjpegml.scan` looks ten bits up at once, and is compiled. *Add restart
# intervals.* At each, the reader goes on at the next byte, and all predictions are 0 again
# (E.2.4); :func:`pyjpegml.explorer.trace.blocks` has the three lines. *Add 4:2:2.* Its chroma is
# enlarged across only: ``(3 near + far + 1) >> 2`` to the left and ``+ 2`` to the right. *Try
# next:* chapter 8, whose files send each coefficient in pieces.
