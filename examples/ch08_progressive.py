"""
8. Progressive files, scan by scan
==================================

A progressive file sends a rough picture first: DC of all blocks, then bands of AC, and of each
the high bits before the low ones (T.81, G.1). The coefficients in the end are the same, so the
pixels are; and the file is mostly smaller, as each scan has codes of its own and long runs of
empty blocks take one symbol. (Pennebaker and Mitchell, "JPEG: Still Image Data Compression
Standard", 1993, tells how these scans were arrived at.)

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
sequential = pyjpegml.encode(photo, quality=85)
progressive = pyjpegml.encode(photo, quality=85, progressive=True)
searched = pyjpegml.encode(photo, quality=85, progressive="search")
assert np.array_equal(pyjpegml.decode(sequential), pyjpegml.decode(progressive))
assert np.array_equal(pyjpegml.decode(sequential), pyjpegml.decode(searched))
for name, data in (
    ("sequential", sequential),
    ("progressive", progressive),
    ("searched", searched),
):
    print(f"{name:12} {len(data)} bytes")

# %%
# What each scan brings
# ---------------------
# Spectral selection is the band of the zigzag path, ``start`` to ``end``; successive
# approximation says which bits: all from bit ``low`` up in a first scan, and bit ``low`` alone in
# a refinement.
view, cuts = memoryview(progressive), []
names = {1: "Y", 2: "Cb", 3: "Cr"}
for segment in markers.segments(progressive):
    if segment.code != markers.SOS:
        continue
    scan = markers.parse_scan(segment)
    end = markers.end_of_scan(view, segment.end)
    what = ", ".join(names[identifier] for identifier, _, _ in scan.components)
    which = f"bit {scan.low}" if scan.high else f"bits from {scan.low} up"
    print(f"{what:10} {scan.start:2} to {scan.end:2}, {which:15} {end - segment.end:6} bytes")
    cuts.append(end)

# %%
# A slow line
# -----------
# Cut the file behind each scan, as a browser has it while it loads. Decoders smooth the borders
# of blocks as long as AC is missing (libjpeg-turbo does, and so do we).
figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
shown = np.linspace(0, len(cuts) - 1, 6).round().astype(int)
scores = []
for i, cut in enumerate(cuts):
    picture, _ = pyjpegml.decode_partial(progressive[:cut] + b"\xff\xd9")
    scores.append(pyjpegml.ms_ssim(photo, picture))
    if i in shown:
        axis = axes.flat[list(shown).index(i)]
        axis.imshow(picture[100:300, 150:450])
        axis.set_title(f"{cut / len(progressive):.0%}, MS-SSIM {scores[-1]:.3f}", fontsize=9)
        axis.axis("off")
plt.show()

# %%
# A sequential file of the same bytes has only its upper part. The progressive one is a usable
# picture at a fraction of its size:
figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
axis.plot([cut / 1000 for cut in cuts], scores, "o-", label="progressive")
parts = np.linspace(0.1, 1, 10)
tops = [pyjpegml.decode_partial(sequential[: int(p * len(sequential))])[0] for p in parts]
axis.plot(
    [p * len(sequential) / 1000 for p in parts],
    [pyjpegml.ms_ssim(photo, t) for t in tops],
    "s-",
    label="sequential",
)
axis.set(xlabel="kB received", ylabel="MS-SSIM", title="What is seen while loading")
axis.legend()
plt.show()
assert max(scores) == scores[-1]

# %%
# Exercises
# ---------
# *Write scans of your own:* luma first, all of it, then colour. In the words that cjpeg reads:
from pyjpegml.scripts import parse_script  # noqa: E402

script = parse_script("0,1,2: 0-0, 0, 0; 0: 1-63, 0, 0; 1: 1-63, 0, 0; 2: 1-63, 0, 0;")
own = pyjpegml.encode(photo, quality=85, progressive=script)
assert np.array_equal(pyjpegml.decode(own), pyjpegml.decode(sequential))
print(f"{len(own)} bytes in {len(pyjpegml.read_header(own).scans)} scans")

# %%
# *Why must a scan of AC hold one component only?* Runs of empty blocks (EOBn, G.1.2.2) would mean
# nothing if blocks of several components took turns. *What does it cost?* Memory: a decoder keeps
# all coefficients until the last scan. *Try next:* ``pyjpegml inspect --html`` on a progressive
# file; choose a block, and go through its scans.
