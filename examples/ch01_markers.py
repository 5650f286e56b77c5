"""
1. What a JPEG file is
======================

A JPEG file is a chain of *segments*. Each begins with a marker, two bytes of which the first is
FF; most go on with a length and as many bytes of parameters (ITU-T T.81, B.1.1). Only the coded
data of the picture have no length: they go on until the next marker.

The photograph is Coffee, by Rachel Michetti, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml import markers

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "coffee.png")
data = pyjpegml.encode(photo, quality=75)
print(f"{len(data)} bytes, which begin with {data[:20].hex(' ')}")

# %%
# Segment by segment
# ------------------
# :func:`pyjpegml.markers.segments` walks the chain. Laid end to end, the segments and the coded
# data are the file: not a byte is left over.
view = memoryview(data)
parts = []
for segment in markers.segments(data):
    parts.append((segment.name, segment.offset, segment.end))
    if segment.code == markers.SOS:
        parts.append(("data", segment.end, markers.end_of_scan(view, segment.end)))
for name, start, end in parts:
    print(f"{start:6}  {end - start:6} bytes  {name}")
assert [start for _, start, _ in parts[1:]] == [end for _, _, end in parts[:-1]]
assert parts[-1][2] == len(data)

# %%
# All but some hundred bytes are coded data. To see the rest, a map of them, and of the first coded
# bytes: each byte in hexadecimal, coloured by the segment that it belongs to.
head = next(start for name, start, _ in parts if name == "data") + 9
owner = np.full(head, -1)
for i, (_, start, end) in enumerate(parts):
    owner[start:end] = i
assert (owner >= 0).all()  # each byte has one
map_of = np.full((-(-head // 32), 32), np.nan)
map_of.ravel()[:head] = owner
figure, axes = plt.subplots(figsize=(9, 4.4), layout="constrained")
axes.imshow(map_of, cmap="Set3", vmin=0, vmax=11, interpolation="nearest", aspect="auto")
for at in range(head):
    begins = at == 0 or owner[at] != owner[at - 1]
    weight = "bold" if begins else "normal"
    text = f"{data[at]:02x}"
    axes.text(at % 32, at // 32, text, fontsize=7, ha="center", va="center", weight=weight)
rows = range(map_of.shape[0])
axes.set_yticks(rows, [str(32 * row) for row in rows])
axes.set(title="The head of the file, byte by byte", xticks=[], ylabel="offset")
keys = [plt.Rectangle((0, 0), 1, 1, color=plt.cm.Set3(i / 11)) for i in range(len(parts) - 1)]
names = [name for name, _, _ in parts[:-1]]
figure.legend(keys, names, loc="outside right upper", fontsize=8)
plt.show()

# %%
# What they say
# -------------
# ======  =========================================================================
# SOI     start of image, and the last of them, EOI, its end
# APP0    JFIF: this is YCbCr, with square pixels (ITU-T T.871)
# DQT     quantization tables, 64 steps each (chapter 5)
# SOF0    frame: the size, and how finely each component is sampled (chapter 3)
# DHT     Huffman tables (chapter 6)
# SOS     the header of a scan; coded data follow
# ======  =========================================================================
#
# The frame header, read by hand (B.2.2):
sof = next(segment for segment in markers.segments(data) if segment.name == "SOF0")
p = bytes(sof.payload)
print(f"{p[0]} bits a sample, {p[1] << 8 | p[2]} rows, {p[3] << 8 | p[4]} columns")
for i in range(p[5]):
    identifier, factors, table = p[6 + 3 * i : 9 + 3 * i]
    print(f"component {identifier}: sampled {factors >> 4}x{factors & 15}, table {table}")
header = pyjpegml.read_header(data)
assert (header.height, header.width) == (p[1] << 8 | p[2], p[3] << 8 | p[4])

# %%
# Exercises
# ---------
# *A byte FF within coded data would look like a marker. How does a file tell them apart?* A zero
# is stuffed behind it (B.1.1.5); it is no data. Count them:
start, end = next((start, end) for name, start, end in parts if name == "data")
print(f"{data[start:end].count(bytes([255, 0]))} bytes of {end - start} are stuffing")

# %%
# *Write a comment into the file without decoding it.* A COM segment behind SOI will do:
commented = data[:2] + markers.segment_bytes(markers.COM, b"a cup of coffee") + data[2:]
assert pyjpegml.read_header(commented).comments == (b"a cup of coffee",)
assert np.array_equal(pyjpegml.decode(commented), pyjpegml.decode(data))

# %%
# *Try next:* ``pyjpegml inspect --html page.html`` on a file of your camera; look for APP1 (Exif)
# and APP2 (the colour profile). *Read:* Wallace, "The JPEG still picture compression standard",
# 1991, by the chairman of the group that made it.
