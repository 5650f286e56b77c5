"""
9. MS-SSIM: what it sees
========================

T.81 says what a decoder does with a file. How good the picture should be it leaves to encoders,
and its tables are examples (K.1). An encoder that shall spend bits where they are seen needs a
number for that. This one takes MS-SSIM (Wang, Simoncelli and Bovik, "Multi-scale structural
similarity for image quality assessment", 2003): 1 for equal pictures, and below 1 the more, the
less of the *structure* is left.

The photograph is Chelsea the cat, by Stéfan van der Walt, CC0, from scikit-image.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

import pyjpegml
from pyjpegml.coefficients import Geometry
from pyjpegml.explorer.similarity import block_losses, window_losses
from pyjpegml.metrics import Reference, channel_planes, halved, psnr, scale_weights
from pyjpegml.quantizer import BASIS
from pyjpegml.sensitivity import basis_energy, block_weights, halving_offset

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
photo = iio.imread(folder / "data" / "chelsea.png")
height, width = photo.shape[:2]

# %%
# One error, five looks
# ---------------------
# Five ways to spoil the photograph, each turned up until its mean square error is the same. The
# signal-to-noise ratio (PSNR) cannot tell them apart; eyes can, and so can MS-SSIM.
rng = np.random.default_rng(9)
low = np.stack([np.repeat(np.repeat(photo[::6, ::6, c], 6, 0), 6, 1) for c in range(3)], 2)
errors = {
    "brighter": np.ones(photo.shape),
    "more contrast": photo - photo.mean(),
    "noise": rng.normal(size=photo.shape),
    "JPEG, quality 4": pyjpegml.decode(pyjpegml.encode(photo, quality=4)).astype(float) - photo,
    "mosaic": low[:height, :width].astype(float) - photo,
}


def spoiled(error, wanted=12.0):
    """The photograph plus so much of an error that its root mean square is 12 levels."""
    low, high = 0.0, 50.0
    for _ in range(30):
        middle = (low + high) / 2
        if np.sqrt(np.mean((plus(middle * error).astype(float) - photo) ** 2)) < wanted:
            low = middle
        else:
            high = middle
    return plus(high * error)


def plus(error):
    return np.clip(np.rint(photo + error), 0, 255).astype(np.uint8)


pictures = {"original": photo} | {name: spoiled(error) for name, error in errors.items()}
figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
for axis, (name, picture) in zip(axes.flat, pictures.items(), strict=True):
    score = pyjpegml.ms_ssim(photo, picture)
    print(f"{name:16} PSNR {psnr(photo, picture):5.2f} dB, MS-SSIM {score:.4f}")
    axis.imshow(picture[60:210, 90:315])
    axis.set_title(f"{name}: {score:.3f}", fontsize=10)
    axis.axis("off")
plt.show()
assert all(abs(psnr(photo, picture) - 26.55) < 0.05 for picture in list(pictures.values())[1:])

# %%
# Five scales
# -----------
# Windows of 11x11 pixels under a Gaussian are compared: their contrast, and whether it goes up and
# down in the same places. That is done for the picture and for four smaller ones, each half the
# size. A window's loss is the variance of the error over the variance that there is::
#
#     1 - cs = var(e) / (var(x) + var(x + e) + C2)
#
# exactly: so the same error costs little in a texture and much on a plain wall. Here the metric is
# put together from the codec's stages; it is :func:`pyjpegml.ms_ssim`.
coded = pyjpegml.decode(pyjpegml.encode(photo, quality=20))
weights = scale_weights(5)
scores, losses = [], []
for x, y in zip(channel_planes(photo), channel_planes(coded), strict=True):
    score = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            x, y = halved(x), halved(y)
        losses.append(window_losses(x, y, luminance=scale == 4))
        score *= (1 - losses[-1].mean(dtype=float)) ** weight
    scores.append(score)
print(f"from stages {np.mean(scores):.6f}, ms_ssim {pyjpegml.ms_ssim(photo, coded):.6f}")
assert abs(np.mean(scores) - pyjpegml.ms_ssim(photo, coded)) < 1e-6

figure, axes = plt.subplots(1, 5, figsize=(9, 2), layout="constrained")
for scale, axis in enumerate(axes):
    image = axis.imshow(losses[5 + scale], cmap="magma", norm=PowerNorm(0.4, 0, 0.5))
    axis.set_title(f"1/{2**scale} size: {losses[5 + scale].mean():.3f}", fontsize=9)
    axis.axis("off")
figure.colorbar(image, ax=axes, shrink=0.8, label="loss of green")
plt.show()

# %%
# A map of the score
# ------------------
# Averaged over each block of 8x8 pixels instead of the whole picture, the same terms say where it
# is lost: in the plain fur of the nose and around the eyes, not in whiskers and shadow.
figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
axes[0].imshow(coded)
axes[0].set_title(f"quality 20: MS-SSIM {pyjpegml.ms_ssim(photo, coded):.4f}", fontsize=10)
image = axes[1].imshow(block_losses(photo, coded), cmap="magma", vmin=0)
axes[1].set_title("lost in each block", fontsize=10)
figure.colorbar(image, ax=axes[1], shrink=0.8)
for axis in axes:
    axis.axis("off")
plt.show()

# %%
# Sensitivity, before anything is coded
# -------------------------------------
# For small errors the formula above says more: what an error *would* cost, if the original alone is
# known. Put x for x + e in the denominator; what is left is a weighted sum of squares,
# ``1 - MS-SSIM = sum W e^2`` over all coefficients of all blocks. W is a product of what a cosine
# pattern is at each scale, and of how little goes on around its block
# (:mod:`pyjpegml.sensitivity` has the derivation).
reference = Reference(photo)
geometry = Geometry(width, height, [(1, 1)] * 3)
offsets = halving_offset(width), halving_offset(height)
sensitivity = block_weights(reference, geometry)[0] @ basis_energy(1, 1, 5, offsets)
rows, columns = height // 8, width // 8  # whole blocks
sensitivity = sensitivity[:rows, :columns]

figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
dearest = 10 * np.log10(sensitivity[:, :, 1] / np.median(sensitivity[:, :, 1]))
image = axes[0].imshow(dearest, cmap="viridis", vmin=-10, vmax=10)
axes[0].set_title("pattern (0, 1), block by block", fontsize=10)
axes[0].axis("off")
figure.colorbar(image, ax=axes[0], shrink=0.8, label="dB above the median")
mean = sensitivity.mean(axis=(0, 1)).reshape(8, 8)
image = axes[1].imshow(10 * np.log10(mean / mean.max()), cmap="viridis")
axes[1].set_title("all 64 patterns, mean of all blocks", fontsize=10)
axes[1].set(xlabel="u, across", ylabel="v, down")
figure.colorbar(image, ax=axes[1], shrink=0.8, label="dB below the dearest")
plt.show()

# %%
# Fine patterns cost less: smaller scales do not see them. Why does the row v = 4 cost so little? It
# goes +--++--+ down the block: in each pair of pixels that is halved a bright one meets a dark one,
# and nothing is left. Across, pairs lie otherwise, because the width of 451 is odd.
#
# Is it true?
# -----------
# Add the same error, 20 in one coefficient (2.5 levels or so), to a hundred blocks where it is
# cheap, and to a hundred where it is dear; compare the true loss with what W foretold.
order = np.argsort(sensitivity[:, :, 1], axis=None)
places = {"cheapest": order[100:300], "middle": order[-1000:-800], "dearest": order[-200:]}
v, u = 0, 1
print("added to         foretold      true")
for name, blocks in places.items():
    picture, foretold = photo.astype(float), 0.0
    for row, column in zip(*np.divmod(blocks, columns), strict=True):
        if (row + column) % 2 == 0:  # no two side by side
            part = picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            part += 20 * np.outer(BASIS[v], BASIS[u])[:, :, None]
            foretold += 20**2 * sensitivity[row, column, 8 * v + u]
    true = 1 - reference.score(plus(picture - photo))
    print(f"{name:12}{foretold:12.6f}{true:12.6f}")
    assert 0.7 < true / foretold < 1.3

# %%
# The dearest blocks cost about ten times as much as the cheapest. Annex K's tables know nothing of
# it: all blocks share one table (T.81, B.2.4.1). What can be done all the same is chapter 10.
#
# Exercises
# ---------
# *Shift the picture by one pixel. What do you expect?* Nobody sees it; windows do not match any
# more, and the score falls as if much had been lost. MS-SSIM compares in place.
shifted = np.roll(photo, 1, axis=1)
print(f"shifted by a pixel: {pyjpegml.ms_ssim(photo, shifted):.4f}")
assert pyjpegml.ms_ssim(photo, shifted) < 0.97

# %%
# *How much does colour count?* The score is the mean of R, G and B, so an error of luma counts in
# three, one of Cb mostly in blue. Take all colour away:
grey = np.repeat(np.rint(photo @ [0.299, 0.587, 0.114]).astype(np.uint8)[:, :, None], 3, 2)
print(
    f"grey: {pyjpegml.ms_ssim(photo, grey):.4f}, "
    f"by luma alone {pyjpegml.ms_ssim(photo, grey, luma_only=True):.4f}"
)

# %%
# *Which score is good enough?* The number knows neither the distance you look from nor what
# matters to you; at 0.99 photographs look untouched to most, and 0.95 is a preview. *Read:* Wang,
# Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
# similarity", 2004, for the windows. *Try next:* ``pyjpegml walkthrough`` on a photograph of
# yours, whose page has the map for each quality; and chapter 10, which turns W into tables.
