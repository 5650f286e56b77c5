"""
2. Colour, and why chroma
=========================

A photograph comes as red, green and blue, and the three are nearly the same picture. JPEG turns
them into one of brightness, Y, and two of colour differences, Cb and Cr (ITU-T T.871, clause
7). What that gains: almost everything is in Y, and the eye, which sees fine detail in
brightness only (Mullen, "The contrast sensitivity of human colour vision to red-green and
blue-yellow chromatic gratings", 1985), forgives much in the other two.

The photograph is Coffee, by Rachel Michetti, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

from pyjpegml.coefficients import Geometry
from pyjpegml.planes import component_planes

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "coffee.png")
height, width = photo.shape[:2]
geometry = Geometry(width, height, [(1, 1)] * 3)
y, cb, cr = component_planes(photo, geometry)

figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
for axis, plane, name in zip(
    axes.flat, [*np.moveaxis(photo, 2, 0), y, cb, cr], ["R", "G", "B", "Y", "Cb", "Cr"], strict=True
):
    axis.imshow(plane, cmap="gray", vmin=0, vmax=255)
    axis.set_title(name)
    axis.axis("off")
plt.show()

# %%
# The matrix
# ----------
# The codec computes in integers, as the reference code of 1991 did, so that all decoders agree.
# It is this, rounded:
matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
exact = photo @ matrix.T + [0, 128, 128]
for plane, wanted, name in zip(
    (y, cb, cr), np.moveaxis(exact, 2, 0), ("Y", "Cb", "Cr"), strict=True
):
    difference = np.abs(plane[:height, :width] - wanted).max()
    print(f"{name:2} differs by {difference:.3f} levels at most")
    assert difference < 0.51

# %%
# Where the energy is
# -------------------
# The variance of a plane says how much there is to code. R, G and B share theirs; after the
# matrix most of it is in one plane.
for names, planes in (
    (("R", "G", "B"), np.moveaxis(photo, 2, 0)),
    (("Y", "Cb", "Cr"), (y, cb, cr)),
):
    variances = np.array([plane.astype(float).var() for plane in planes])
    shares = ", ".join(
        f"{n} {s:.0%}" for n, s in zip(names, variances / variances.sum(), strict=True)
    )
    print(shares)
correlation = np.corrcoef(photo.reshape(-1, 3).T)
print(
    f"R and G are correlated by {correlation[0, 1]:.2f}, Y and Cb by "
    f"{np.corrcoef(y.ravel(), cb.ravel())[0, 1]:.2f}"
)

# %%
# What the eye forgives
# ---------------------
# Blur Y by averaging 4x4 pixels, or blur Cb and Cr so: the same number of samples is touched, or
# twice as many. The second picture still looks sharp.


def blurred(plane):
    blocks = plane[: height // 4 * 4, : width // 4 * 4].reshape(height // 4, 4, -1, 4)
    return np.repeat(np.repeat(blocks.mean(axis=(1, 3)), 4, 0), 4, 1)


def to_rgb(*planes):
    ycc = np.stack([plane[:height, :width].astype(float) for plane in planes], 2) - [0, 128, 128]
    return np.clip(np.rint(ycc @ np.linalg.inv(matrix).T), 0, 255).astype(np.uint8)


figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(to_rgb(blurred(y), cb, cr)[100:250, 150:400])
axes[0].set_title("Y at a quarter of the resolution")
axes[1].imshow(to_rgb(y, blurred(cb), blurred(cr))[100:250, 150:400])
axes[1].set_title("Cb and Cr at a quarter")
for axis in axes:
    axis.axis("off")
plt.show()

# %%
# Exercises
# ---------
# *Is anything lost by the matrix and back, without compression?* Yes, by rounding: a level. That
# is why ``encode(stored_as="RGB")`` exists, and why 4:4:4 at quality 100 is not lossless.
back = to_rgb(y, cb, cr)
print(
    f"differs by {np.abs(back.astype(int) - photo).max()} at most, in "
    f"{(back != photo).any(axis=2).mean():.0%} of the pixels"
)

# %%
# *Which photographs gain least from the matrix?* Those whose colours vary as much as their
# brightness: flowers, signs, cartoons. *Try next:* run this on one.
