"""
5. Quantization: where the loss is
==================================

Each coefficient is divided by a step of its own and rounded (T.81, A.3.4); the decoder
multiplies again. This is the one place where JPEG throws something away on purpose, and all the
art of an encoder is in choosing the 64 steps.

The photograph is Coffee, by Rachel Michetti, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml.coefficients import Geometry
from pyjpegml.constants import LUMINANCE_QTABLE
from pyjpegml.planes import component_planes
from pyjpegml.quantize import scaled_qtable

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "coffee.png")
luma = photo @ np.array([0.299, 0.587, 0.114])
luma = np.rint(luma).astype(np.uint8)
height, width = luma.shape

# %%
# The tables of Annex K
# ---------------------
# The standard has an example table for luma, found by experiments with viewers in the 1980s
# (Lohscheller, "A subjectively adapted image communication system", 1984).
# libjpeg scales it: that is the *quality* of the Independent JPEG Group, which is not part of the
# standard. 50 is the table itself, 100 has steps of 1.
for quality in (50, 90):
    print(f"quality {quality}:\n{scaled_qtable(LUMINANCE_QTABLE, quality)}")

# %%
# What a file holds
# -----------------
# Quantize by hand, and the result is what the encoder wrote.
table = scaled_qtable(LUMINANCE_QTABLE, 75).astype(float)
geometry = Geometry(width, height, [(1, 1)])
planes = component_planes(luma, geometry, "grey", "grey")
coefficients = geometry.view(geometry.transform(planes), 0).reshape(-1, 8, 8) / 8
levels = np.sign(coefficients) * np.floor(np.abs(coefficients) / table + 0.5)
data = pyjpegml.encode(luma, quality=75)
stored = pyjpegml.decode_coefficients(data).components[0].reshape(-1, 8, 8)
assert np.array_equal(levels, stored)
print(f"{np.mean(stored == 0):.0%} of the levels are zero")

# %%
# Where the loss is
# -----------------
# The error of a coefficient is half a step at most. As the patterns of chapter 4 are orthogonal,
# the energy of the errors in the picture is the energy of the errors of coefficients: each
# frequency's part can be told.
errors = levels * table - coefficients
assert (np.abs(errors) <= table / 2 + 1e-9).all()
shown = pyjpegml.decode(data).astype(float)
print(
    f"mean square error: {np.mean(errors**2):.2f} of coefficients, "
    f"{np.mean((shown - luma) ** 2):.2f} of pixels (rounded)"
)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, values, name in zip(
    axes,
    (table, np.mean(errors**2, axis=0), np.mean(levels != 0, axis=0)),
    ("steps", "mean square error", "part that is not zero"),
    strict=True,
):
    image = axis.imshow(values, cmap="viridis")
    axis.set_title(name)
    axis.axis("off")
    figure.colorbar(image, ax=axis, shrink=0.8)
plt.show()

# %%
# Quality, bytes, score
# ---------------------
# From 90 on, bytes grow fast and the picture hardly gains.
qualities = [10, 20, 30, 50, 70, 80, 90, 95, 98]
files = [pyjpegml.encode(luma, quality=q) for q in qualities]
scores = [pyjpegml.ms_ssim(luma, pyjpegml.decode(file)) for file in files]
figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
axis.plot([len(file) / 1000 for file in files], scores, "o-")
for quality, file, score in zip(qualities, files, scores, strict=True):
    axis.annotate(
        str(quality), (len(file) / 1000, score), textcoords="offset points", xytext=(6, -10)
    )
axis.set(xlabel="kB", ylabel="MS-SSIM", title="IJG quality")
plt.show()

# %%
# Exercises
# ---------
# *Why has the table larger steps for high frequencies?* The eye sees them less, and most of their
# coefficients are small. *What does a table with equal steps do at the same size of file?*
flat = pyjpegml.encode(luma, qtables=np.full((8, 8), 17))
nearest = min(files, key=lambda file: abs(len(file) - len(flat)))
for name, file in (("equal steps", flat), ("Annex K", nearest)):
    print(
        f"{name:12} {len(file)} bytes, MS-SSIM {pyjpegml.ms_ssim(luma, pyjpegml.decode(file)):.4f}"
    )

# %%
# *Does a second pass at the same quality lose again?* Hardly: levels are on the grid already.
# Only samples that had to be limited to 0 to 255, or rounded, may move.
again = pyjpegml.decode(pyjpegml.encode(pyjpegml.decode(data), quality=75))
print(f"{np.mean(again != pyjpegml.decode(data)):.2%} of the pixels changed")

# %%
# *Try next:* a table of your own in ``encode(photo, qtables=...)``; and chapter 10, which
# computes the best one.
