"""
4. The DCT
==========

Neighbouring samples are alike. The discrete cosine transform turns 64 of them, a block of 8x8,
into 64 weights of cosine patterns (T.81, A.3.3); in photographs a few of these carry nearly
everything (Ahmed, Natarajan and Rao, "Discrete cosine transform", 1974). Nothing is lost by it, and
nothing saved yet: the saving is left to chapter 5.

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

# %%
# The 64 patterns
# ---------------
# Each is a cosine down times a cosine across. They are orthogonal, and of length 1: so the
# weights of a block are its products with the patterns, and the block is the weighted sum of
# them.
x = np.arange(8)
cosines = np.cos((2 * x + 1) * x[:, None] * np.pi / 16) / 2
cosines[0] /= np.sqrt(2)
patterns = np.einsum("vy,ux->vuyx", cosines, cosines)
gram = patterns.reshape(64, 64) @ patterns.reshape(64, 64).T
assert np.allclose(gram, np.eye(64))

figure, axes = plt.subplots(8, 8, figsize=(5.2, 5.4), layout="constrained")
for axis, pattern in zip(axes.flat, patterns.reshape(64, 8, 8), strict=True):
    axis.imshow(pattern, cmap="gray", vmin=-0.25, vmax=0.25)
    axis.axis("off")
figure.suptitle("Frequency grows to the right and downwards")
plt.show()

# %%
# All blocks of the photograph
# ----------------------------
# The codec's transform is in integers, and gives coefficients times 8. It agrees with the formula
# to within its rounding.
geometry = Geometry(width, height, [(1, 1)])
luma = component_planes(photo, Geometry(width, height, [(1, 1)] * 3))[0]
fast = geometry.view(geometry.transform([luma]), 0).reshape(-1, 8, 8) / 8
blocks = luma.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
exact = cosines @ (blocks - 128.0) @ cosines.T
print(f"the fast transform differs by {np.abs(fast - exact).max():.3f} at most")
assert np.abs(fast - exact).max() < 0.6

# %%
# Energy compaction
# -----------------
# Keep the n largest coefficients of each block, and forget the others: how much of the energy (of
# what is not the mean) is left? Compare that with keeping the n most different *samples*.
figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
centred = blocks - blocks.mean(axis=(1, 2), keepdims=True)
for values, name in (
    (exact.reshape(-1, 64)[:, 1:], "coefficients"),
    (centred.reshape(-1, 64), "samples"),
):
    energy = -np.sort(-(values**2), axis=1)
    share = np.cumsum(energy.sum(axis=0)) / energy.sum()
    axis.plot(np.arange(1, len(share) + 1), 100 * share, label=name)
    print(f"the 6 largest {name} hold {share[5]:.0%}")
axis.set(xlabel="kept of each block", ylabel="energy, %", title="What a few of 64 hold")
axis.legend()
plt.show()

# %%
# One block, pattern by pattern
# -----------------------------
block = exact[47 + 29 * (width // 8)]
order = np.argsort(-np.abs(block).ravel())
figure, axes = plt.subplots(1, 6, figsize=(9, 1.9), layout="constrained")
for axis, count in zip(axes, (1, 2, 4, 8, 16, 64), strict=True):
    kept = np.zeros(64)
    kept[order[:count]] = block.ravel()[order[:count]]
    axis.imshow(cosines.T @ kept.reshape(8, 8) @ cosines + 128, cmap="gray", vmin=0, vmax=255)
    axis.set_title(f"{count} of 64", fontsize=9)
    axis.axis("off")
plt.show()

# %%
# Exercises
# ---------
# *What is DC?* The first coefficient, 8 times the mean of the samples less 128:
assert np.allclose(exact[:, 0, 0], 8 * (blocks.mean(axis=(1, 2)) - 128))

# %%
# *How large can a coefficient get?* For samples of 8 bits within ±1024, so that 11 bits and a
# sign hold it: of a block that follows the signs of a pattern.
largest = max(np.abs(128 * np.sign(p) * p).sum() for p in patterns.reshape(64, 8, 8))
print(f"{largest:.0f}")
assert largest <= 1024 + 1e-9

# %%
# *Why 8x8?* Larger blocks compact better in flat parts, and spread an edge over more pixels.
# JPEG's authors measured, in 1987, and took what hardware could do (Wallace, "The JPEG still
# picture compression standard", 1991). *Try next:* 4x4 and 16x16 in the plot above.
