"""
3. Subsampling, and the two ways up
===================================

Chapter 2 blurred the colours, and hardly anything was seen of it. So JPEG may keep Cb and Cr
with fewer samples: 4:2:0 has one for four pixels. The standard gives the *factors* (T.81,
A.1.1), and leaves to encoder and decoder how samples are merged, and how pixels are made of
them again. (Kerr, "Chrominance subsampling in digital images", 2012, tells where the names 4:2:0
and 4:2:2 come from.)

The photograph is Coffee, by Rachel Michetti, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml.coefficients import Geometry
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.planes import component_planes

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "coffee.png")
height, width = photo.shape[:2]
for name, factors in SUBSAMPLINGS.items():
    samples = sum(p.width * p.height for p in Geometry(width, height, factors).planes)
    data = pyjpegml.encode(photo, quality=85, subsampling=name)
    score = pyjpegml.ms_ssim(photo, pyjpegml.decode(data))
    print(
        f"{name}: {samples / (width * height):.2f} samples a pixel, {len(data):6} bytes, "
        f"MS-SSIM {score:.4f}"
    )

# %%
# Down: the mean
# --------------
# Encoders take the mean of the samples that are merged. Halves are rounded down and up in
# turn, so that no brightness is gained on average.
full = component_planes(photo, Geometry(width, height, [(1, 1)] * 3))[2]
half = component_planes(photo, Geometry(width, height, SUBSAMPLINGS["4:2:0"]))[2]
sums = full.reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3), dtype=int)
mean = (sums + np.where(np.arange(width // 2) % 2, 2, 1)) // 4
assert np.array_equal(mean, half[: height // 2, : width // 2])

# %%
# Up: repeated, or interpolated
# -----------------------------
# The centre of a merged sample lies between pixels. To repeat it is simple and gives steps;
# libjpeg interpolates, with weights 3/4 and 1/4 (it calls that *fancy*), and so do we. In two
# dimensions that is 9, 3, 3 and 1 sixteenths.
rows = np.pad(half[: height // 2, : width // 2].astype(int), 1, "edge")
up = np.empty((height, width), int)
for odd in (0, 1):  # the far row lies above even rows of pixels, and below odd ones
    near, far = rows[1:-1], rows[2:] if odd else rows[:-2]
    line = 3 * near + far
    up[odd::2, 0::2] = (3 * line[:, 1:-1] + line[:, :-2] + 8) >> 4
    up[odd::2, 1::2] = (3 * line[:, 1:-1] + line[:, 2:] + 7) >> 4
repeated = np.repeat(np.repeat(half[: height // 2, : width // 2], 2, 0), 2, 1)
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for axis, plane, name in zip(
    axes, (full[:height, :width], repeated, up), ("Cr", "repeated", "interpolated"), strict=True
):
    error = np.sqrt(np.mean((plane.astype(float) - full[:height, :width]) ** 2))
    axis.imshow(plane[150:230, 380:480], cmap="gray", vmin=90, vmax=220)
    axis.set_title(f"{name}, error {error:.2f}")
    axis.axis("off")
plt.show()

# %%
# This is the codec's own filter, to the last bit: a file whose Cr is flat in each block, so that
# nothing else rounds, decodes to the same.
flat = np.kron(np.array([[100, 180], [140, 60]], np.uint8), np.ones((8, 8), np.uint8))
grey = np.full((32, 32), 128, np.uint8)
data = pyjpegml.encode(
    (grey, np.full((16, 16), 128, np.uint8), flat), color="stored", stored_as="YCbCr",
    subsampling="4:2:0", quality=100,
)  # fmt: skip
decoded = pyjpegml.decode(data, color="stored")[:, :, 2].astype(int)
rows = np.pad(flat.astype(int), 1, "edge")
line = 3 * rows[1:-1] + rows[:-2]
assert np.array_equal(decoded[0::2, 0::2], (3 * line[:, 1:-1] + line[:, :-2] + 8) >> 4)

# %%
# Exercises
# ---------
# *For which pictures is 4:2:0 a bad choice?* For red text and thin coloured lines. See how far
# the score falls, and that at 4:4:4 it does not:
lines = np.full((161, 161, 3), 255, np.uint8)
lines[:, ::4] = (220, 0, 0)
for name in ("4:2:0", "4:4:4"):
    shown = pyjpegml.decode(pyjpegml.encode(lines, quality=90, subsampling=name))
    print(f"{name}: MS-SSIM {pyjpegml.ms_ssim(lines, shown):.4f}")

# %%
# *Why does* :func:`pyjpegml.compress` *sometimes choose 4:4:4?* What 4:2:0 loses no quantization
# table can give back: at high targets it is cheaper to keep all samples, and quantize them more
# coarsely. *Try next:* ``compress(photo, ms_ssim=t).subsampling`` for t from 0.97 to 0.999.
