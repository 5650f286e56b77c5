"""
12. Rate and distortion: against other encoders
===============================================

An encoder is a curve: bytes against quality, as far as its knob turns. Two encoders are compared by
their curves, on the same photographs, decoded and scored in the same way, and never by their
"quality" numbers, which mean something else in each. (T.81 knows no quality; IJG's is libjpeg's,
the others bend it.) Here are libjpeg-turbo, mozjpeg, jpegli and this library.

The photographs are Coffee (Rachel Michetti, CC0), Chelsea the cat (Stéfan van der Walt, CC0) and
the astronaut Eileen Collins (NASA, public domain), from scikit-image.
"""

import csv
from importlib.util import find_spec
from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

import pyjpegml
from pyjpegml.metrics import Reference, psnr

# %%
# The data
# --------
# Not everybody has all of these programs. ``bench/peer_curves.py`` had them, and wrote down what
# their files weigh and score; which versions, and on what machine, stands at the head of its file.
folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
with (folder / "data" / "peer_curves.csv").open(encoding="utf-8") as file:
    lines = file.readlines()
print("".join(line for line in lines if line.startswith("#")))
rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
curves = {}
for row in rows:
    key = row["photo"], row["encoder"], row["subsampling"] if row["encoder"] != "pyjpegml" else ""
    curves.setdefault(key, []).append((int(row["bytes"]), float(row["ms_ssim"]), row["setting"]))

# %%
# libjpeg-turbo comes with Pillow, and so with imageio. Ask it again, and jpegli, if it is there:
# the measured files must be the same, within what versions differ by.
photos = {
    name: iio.imread(folder / "data" / f"{name}.png") for name in ("coffee", "chelsea", "astronaut")
}
coffee = photos["coffee"]
reference = Reference(coffee)


def libjpeg_turbo(photo, quality, subsampling="4:2:0"):
    return iio.imwrite(
        "<bytes>", photo, extension=".jpg", quality=quality, subsampling=subsampling,
        progressive=True, optimize=True,
    )  # fmt: skip


def jpegli(photo, quality):
    import pyjpegli

    return pyjpegli.encode(photo.tobytes(), photo.shape[1], photo.shape[0], quality)


installed = {"libjpeg-turbo": libjpeg_turbo}
if find_spec("pyjpegli"):
    installed["jpegli"] = jpegli
for name, encode in installed.items():
    for size, score, setting in curves["coffee", name, "4:2:0"][::4]:
        data = encode(coffee, int(setting))
        found = reference.score(pyjpegml.decode(data))
        print(f"{name} {setting}: {len(data)} bytes, {found:.5f}; measured {size}, {score:.5f}")
        assert abs(len(data) / size - 1) < 0.02
        assert abs(found - score) < 0.001

# %%
# The curves
# ----------
# MS-SSIM crowds at 1, so the axis is the loss, 1 - MS-SSIM, in powers of ten: a straight line there
# is the power law that the search of :func:`pyjpegml.compress` counts on.
style = {
    "libjpeg-turbo": "tab:grey",
    "mozjpeg": "tab:orange",
    "jpegli": "tab:green",
    "pyjpegml": "tab:blue",
}
figure, axes = plt.subplots(1, 3, figsize=(10, 4), layout="constrained", sharey=True)
for axis, (photo, pixels) in zip(axes, photos.items(), strict=True):
    for (where, encoder, subsampling), points in curves.items():
        if where != photo:
            continue
        sizes, scores, _ = zip(*sorted(points), strict=True)
        bits = 8 * np.array(sizes) / (pixels.shape[0] * pixels.shape[1])
        axis.plot(
            bits, 1 - np.array(scores), ".-" if subsampling != "4:4:4" else ".:",
            color=style[encoder], label=f"{encoder} {subsampling}".strip(),
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", title=photo, xlabel="bits per pixel", ylim=(0.06, 0.0015))
    axis.grid(which="both", alpha=0.25)
axes[0].set(ylabel="1 - MS-SSIM")
axes[0].set_yticks([0.05, 0.02, 0.01, 0.005, 0.0025], ["0.05", "0.02", "0.01", "0.005", "0.0025"])
for axis in axes:
    axis.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axis.minorticks_off()
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
plt.show()

# %%
# Bytes at one score
# ------------------
# Between two qualities the size is interpolated, of logarithms. Of each program the better of its
# subsamplings counts.


def size_at(photo, encoder, score):
    """Bytes that an encoder needs for a score; infinite if none of its files reaches it."""
    best = np.inf
    for (where, name, _), points in curves.items():
        if (where, name) == (photo, encoder):
            sizes, scores, _ = zip(*sorted(points), strict=True)
            if min(scores) <= score <= max(scores):
                x = np.interp(-np.log(1 - score), -np.log(1 - np.array(scores)), np.log(sizes))
                best = min(best, float(np.exp(x)))
    return best


print(f"{'':10}{'MS-SSIM':>8}" + "".join(f"{encoder:>15}" for encoder in style))
for photo in photos:
    for score in (0.98, 0.99, 0.995):
        sizes = {encoder: size_at(photo, encoder, score) for encoder in style}
        print(f"{photo:10}{score:8}" + "".join(f"{size:15.0f}" for size in sizes.values()))
        assert min(sizes, key=sizes.get) == "pyjpegml"

# %%
# One number for two curves: the mean difference of the logarithms of their sizes over the scores
# that both reach (Bjøntegaard, "Calculation of average PSNR differences between RD-curves", 2001).
grid = 1 - np.geomspace(0.04, 0.004, 30)
for encoder in ("mozjpeg", "jpegli", "pyjpegml"):
    saved = []
    for photo in photos:
        sizes = np.array([[size_at(photo, e, s) for s in grid] for e in ("libjpeg-turbo", encoder)])
        theirs, its = np.log(sizes[:, np.isfinite(sizes).all(axis=0)])
        saved.append(np.exp((its - theirs).mean()) - 1)
    print(f"{encoder:10}" + ", ".join(f"{p} {s:+.0%}" for p, s in zip(photos, saved, strict=True)))

# %%
# Who chooses the metric
# ----------------------
# ... wins. This library makes MS-SSIM as large as it can, so it is no wonder that it leads there.
# By another judge things look otherwise. At equal bytes, PSNR (chapter 9) prefers plain rounding:
ours = pyjpegml.compress(coffee, ms_ssim=0.98).data
theirs = max(
    (libjpeg_turbo(coffee, quality) for quality in range(30, 96)),
    key=lambda data: (len(data) <= len(ours), len(data)),
)
for name, data in (("pyjpegml", ours), ("libjpeg-turbo", theirs)):
    shown = pyjpegml.decode(data)
    print(
        f"{name:14}{len(data):6} bytes, MS-SSIM {reference.score(shown):.4f}, "
        f"PSNR {psnr(coffee, shown):.2f} dB"
    )
figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
shown = {"original": coffee}
for name, data in (("pyjpegml", ours), ("libjpeg-turbo", theirs)):
    shown[f"{name}, {len(data)} bytes"] = pyjpegml.decode(data)
for axis, (name, picture) in zip(axes, shown.items(), strict=True):
    axis.imshow(picture[230:390, 20:220])
    axis.set_title(name, fontsize=10)
    axis.axis("off")
plt.show()
assert reference.score(pyjpegml.decode(ours)) > reference.score(pyjpegml.decode(theirs))

# %%
# Two more judges, SSIMULACRA2 and PSNR-HVS-M, are in ``bench/rate_visual.md``: by the former all
# modern encoders are close, by the latter mozjpeg leads, whose trellis is made for it.
#
# Exercises
# ---------
# *How much is in the choice of 4:2:0 or 4:4:4?* Compare a program with itself:
for photo in photos:
    both = [curves[photo, "libjpeg-turbo", subsampling] for subsampling in ("4:2:0", "4:4:4")]
    (small, low, _), (large, high, _) = (next(p for p in c if p[2] == "90") for c in both)
    print(f"{photo:10} quality 90: {small} bytes {low:.4f}, {large} bytes {high:.4f}")

# %%
# *Why is a mean of sizes over photographs a bad summary?* The largest file decides it. Take the
# mean of logarithms, or of ratios, as above. *Why not compare at equal quality numbers?* See for
# yourself in the data what 75 means to each program. *How would you cheat?* By photographs that
# suit you, by a metric that you train for, and by leaving out the time that a search takes
# (``bench/rate_time.md``). *Try next:* ``bench/peer_curves.py`` with photographs of yours, or
# ``pyjpegml compress photo.png out.jpg --against-libjpeg``.
