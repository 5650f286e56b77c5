"""
Choose a target
===============

:func:`pyjpegml.compress` asks for an MS-SSIM, a number that is 1 for equal pictures. This page
shows what the usual ones look like and cost, and what to ask for if it is the size that matters.
"""

from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml

repository = Path(__file__).resolve().parents[2]
photo = iio.imread(repository / "examples" / "data" / "coffee.png")
height, width = photo.shape[:2]

# %%
# What targets look like
# ----------------------
# The same photograph at five targets: a part of each, enlarged.
targets = (0.95, 0.97, 0.98, 0.99, 0.995)
results = [pyjpegml.compress(photo, ms_ssim=target) for target in targets]
part = np.s_[150:250, 320:420]
figure, axes = plt.subplots(2, 3, figsize=(9, 6.6), layout="constrained")
axes[0, 0].imshow(photo[part], interpolation="nearest")
axes[0, 0].set_title(f"original, {photo.nbytes:,} bytes")
for axis, target, result in zip(axes.flat[1:], targets, results, strict=True):
    axis.imshow(pyjpegml.decode(result.data)[part], interpolation="nearest")
    axis.set_title(f"{target}: {len(result.data):,} bytes")
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %%
# Bytes grow faster than the score: from one target to the next the loss, ``1 - MS-SSIM``, about
# halves, and the last step here costs most.
for target, result in zip(targets, results, strict=True):
    print(f"{target}: {len(result.data):7,} bytes, {result.bits_per_pixel:.3f} bits a pixel")
assert all(result.met for result in results)

# %%
# *As a rule*: 0.95 to 0.97 for thumbnails and previews, which are glanced at; 0.98 for pictures on
# web pages; 0.99, the default, where the picture should look untouched; 0.995 for what will be
# enlarged, or edited and saved once more. Look at a few of your own at the size they will be seen
# in, as above: MS-SSIM knows nothing of text, faces or what matters to you.
#
# If the size is given
# --------------------
# ``max_bytes`` alone asks for the best file of a size. With a target it is a limit: the smallest
# file that meets the target, or the best one that fits.
best = pyjpegml.compress(photo, max_bytes=20_000)
print(f"{len(best.data):,} bytes, MS-SSIM {best.ms_ssim:.4f}")
limited = pyjpegml.compress(photo, ms_ssim=0.99, max_bytes=20_000)
print(f"{len(limited.data):,} bytes, MS-SSIM {limited.ms_ssim:.4f}, met: {limited.met}")
assert max(len(best.data), len(limited.data)) <= 20_000
assert not limited.met

# %%
# A result always says whether the target was met; look at it before you write the file. On the
# command line the exit code says so (:doc:`/command_line`).
#
# If the original is a JPEG
# -------------------------
# Give its bytes, not its pixels: then its metadata stay, and the result is never larger than the
# file was. The score is to what the JPEG shows, with its own loss in it.
camera = pyjpegml.encode(photo, quality=92)
again = pyjpegml.compress(camera, ms_ssim=0.99)
print(f"{len(camera):,} bytes became {len(again.data):,}")
assert len(again.data) < len(camera)

# %%
# How long it may take
# --------------------
# ``effort="fast"`` rounds coefficients with tables predicted for the picture; ``"best"`` tries more
# than the default, and takes several times as long. ``threads=None`` uses all cores for one
# picture, and changes no byte.
fast = pyjpegml.compress(photo, ms_ssim=0.98, effort="fast", threads=None)
print(f"fast:   {len(fast.data):,} bytes after {fast.encodes} encodes")
print(f"normal: {len(results[2].data):,} bytes after {results[2].encodes} encodes")

# %%
# What was tried for one picture, step by step:
print(results[2].explain())

# %%
# More: :doc:`/rate_control`, :doc:`/model_card`. In the shell:
#
# .. code-block:: sh
#
#    pyjpegml compress --ms-ssim 0.98 photo.png photo.jpg
#    pyjpegml compress --max-bytes 20000 photo.png photo.jpg
#    pyjpegml compare photo.png photo.jpg
