"""
11. The learned predictor
=========================

Chapter 10 found the steps that are best for a picture, but for one number, the scale; and an
estimate says which scale will reach the target. It is off by some percent, each time for reasons of
the picture. How far, trees have learned from other photographs: what they know is where a search
begins, so it ends sooner. The guarantee does not lean on them: every file is decoded and scored.

T.81 is silent here: an encoder may find its tables as it likes (B.2.4.1). The photographs are
Coffee (Rachel Michetti, CC0), Chelsea the cat (Stéfan van der Walt, CC0) and the astronaut Eileen
Collins (NASA, public domain), from scikit-image; none was seen in training.
"""

import json
from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

from pyjpegml.encoder import quantize_all
from pyjpegml.features import NAMES, features
from pyjpegml.knobs import KNOBS, Start
from pyjpegml.metrics import Reference
from pyjpegml.predictor import INPUTS, OUTPUTS, SHIPPED, choose_model, target_features, walk_trees
from pyjpegml.reconstruction import reconstruct
from pyjpegml.scale_search import add_sampling_loss, candidate
from pyjpegml.tables import ROUNDING

folder = Path("examples") if Path("examples").is_dir() else Path()  # run from here, or beside it
references, plans = {}, {}
for name in ("coffee", "chelsea", "astronaut"):
    photo = iio.imread(folder / "data" / f"{name}.png")
    references[name] = Reference(photo)
    plans[name] = candidate(photo, references[name], "4:2:0")
    add_sampling_loss(plans[name], photo, references[name])

# %%
# Features
# --------
# What the trees are told of a picture has been computed anyway: energies of the coefficients by
# bands of frequency, sensitivities, how many blocks are flat (:mod:`pyjpegml.features` lists all).
# Each is shown within the range that the training photographs have.
model = choose_model(None)
described = {name: features(plan) for name, plan in plans.items()}
low, high = model.low[: len(NAMES)], model.high[: len(NAMES)]
figure, axis = plt.subplots(figsize=(9, 3.4), layout="constrained")
for (name, values), marker in zip(described.items(), "osd", strict=True):
    place = (values - low) / np.where(high > low, high - low, 1)
    axis.plot(np.arange(len(NAMES)), place, marker, label=name, markersize=5, alpha=0.8)
axis.set_xticks(np.arange(len(NAMES)), NAMES, rotation=90, fontsize=7)
axis.set(ylabel="from least to most in training", ylim=(-0.05, 1.05), xlim=(-1, len(NAMES)))
axis.grid(alpha=0.3)
axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# One tree
# --------
# Each node asks whether a feature is at most a threshold; each leaf holds a number. The model is a
# file of arrays: here is one of its trees for ``rounded_loss``, which tells how far off the
# estimate will be, with the way that Coffee takes at MS-SSIM 0.99. ``loss`` is the logarithm of 1 -
# target, ``W_1`` and ``Cb_1`` speak of coarse luma and chroma, ``flat_4`` counts flat blocks.
with np.load(SHIPPED, allow_pickle=False) as file:
    arrays = {key: file[key] for key in file.files}
ours = np.flatnonzero(arrays["output_of"] == OUTPUTS.index("rounded_loss"))
inputs = {
    name: np.r_[values, target_features(0.01, plans[name].floor)]
    for name, values in described.items()
}


def show(node, depth, taken):
    """Print a subtree, the way that is taken marked by >."""
    mark = ">" if taken else " "
    if arrays["feature"][node] < 0:
        print(f"{mark} {'  ' * depth}{arrays['value'][node]:+.4f}")
        return
    asked, limit = arrays["feature"][node], arrays["threshold"][node]
    yes = inputs["coffee"][asked] <= limit
    print(f"{mark} {'  ' * depth}{INPUTS[asked]} <= {limit:.3f}?")
    show(node + 1, depth + 1, taken and yes)
    show(arrays["right"][node], depth + 1, taken and not yes)


show(arrays["roots"][ours[15]], 0, True)

# %%
# Tree after tree
# ---------------
# A tree is a rough guess. The next one is fitted to what the sum of those before it leaves, and
# adds a small part of that (Friedman, "Greedy function approximation: a gradient boosting machine",
# 2001). The sum settles:
figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
names = ("feature", "threshold", "right", "value")
for name, vector in inputs.items():
    sums = [arrays["baselines"][OUTPUTS.index("rounded_loss")]]
    for tree in ours:
        out = np.zeros(len(OUTPUTS))
        walk_trees(
            vector, *(arrays[key] for key in names), arrays["roots"][tree : tree + 1],
            arrays["output_of"][tree : tree + 1], out,
        )  # fmt: skip
        sums.append(sums[-1] + out.sum())
    axis.plot(sums, label=name)
    assert np.isclose(sums[-1], model.predict(vector)["rounded_loss"])
axis.set(xlabel="trees", ylabel="sum", title="rounded_loss at MS-SSIM 0.99")
axis.legend()
plt.show()

# %%
# One shot
# --------
# The test: choose the scale, quantize *once*, decode, score. How far is the loss from the budget,
# 1 - target? At 0 no second encode would be needed. The start of chapter 10, which knows nothing of
# other pictures, is compared with the model's.
targets = (0.97, 0.98, 0.99, 0.995)


def one_shot(name, target, start):
    """The loss of the first levels over the budget."""
    plan, reference = plans[name], references[name]
    plan.begin(start, 1 - target)
    qtables = plan.qtables(plan.scale_for(1 - target))
    levels = quantize_all(plan.geometry, plan.coefficients, qtables, ROUNDING)
    pixels = reconstruct(plan.geometry, levels, qtables, reference.crew)
    return (1 - reference.score(pixels)) / (1 - target)


ratios = {"estimate": [], "model": []}
figure, axis = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
for name, color in zip(plans, ("tab:blue", "tab:orange", "tab:green"), strict=True):
    plain = [one_shot(name, target, Start(np.zeros(len(KNOBS)))) for target in targets]
    learned = [one_shot(name, t, model.start(plans[name], 1 - t)) for t in targets]
    ratios["estimate"] += plain
    ratios["model"] += learned
    axis.plot(100 * np.log(plain), ":", marker="o", color=color, label=f"{name}, estimate")
    axis.plot(100 * np.log(learned), "-", marker="o", color=color, label=f"{name}, model")
axis.axhline(0, color="black", linewidth=0.8)
axis.set_xticks(range(len(targets)), [f"{t}" for t in targets])
axis.set(xlabel="target", ylabel="loss above budget, %", title="After one encode")
axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
off = {way: np.abs(np.log(values)).mean() for way, values in ratios.items()}
print(", ".join(f"{way}: off by {value:.1%} on average" for way, value in off.items()))
assert off["model"] < off["estimate"]

# %%
# Three photographs prove nothing. The model file says how it did on photographs that were held out
# while it was trained (the model card in the documentation has the rest):
facts = json.loads(str(arrays["facts"]))
for way, found in facts["cross-validation"]["rounded_loss"].items():
    if isinstance(found, dict):
        print(f"{way:12} bias {found['bias']:+.3f}, spread {found['sd']:.3f}, "
              f"within 10 %: {found['within 10 %']:.0%}")  # fmt: skip
print(f"{facts['photographs']} photographs, {facts['first encodes']} first encodes")

# %%
# Bound to be sensible
# --------------------
# A higher target must never lead to a coarser scale, whatever the trees have learned. So trees that
# see the budget, 1 - target, are bound to grow with it (monotone constraints), and their sum stands
# for ``0.2 ln(budget) - error``, not for the error itself; then the scale grows with the budget:
# :mod:`pyjpegml.predictor` has the argument.
scales = []
for target in np.linspace(0.96, 0.995, 36):
    plan = plans["coffee"]
    plan.begin(model.start(plan, 1 - target), 1 - target)
    scales.append(plan.scale_for(1 - target))
assert (np.diff(scales) <= 1e-9).all()
print(f"scales from {scales[0]:.3f} at 0.96 down to {scales[-1]:.3f} at 0.995, without a step up")

# %%
# Exercises
# ---------
# *What does the model say of a picture unlike all it knows?* Nothing: it would have to guess beyond
# its data, and trees do that badly. The estimate is believed then.
noise = np.random.default_rng(11).integers(0, 256, (256, 256, 3), np.uint8)
reference = Reference(noise)
strange = candidate(noise, reference, "4:4:4")
add_sampling_loss(strange, noise, reference)
assert model.start(strange, 0.01) is None

# %%
# *What do the trees ask for most?* The target, and how much there is at low frequencies:
asked, counts = np.unique(arrays["feature"][arrays["feature"] >= 0], return_counts=True)
for i in np.argsort(-counts)[:6]:
    print(f"{INPUTS[asked[i]]:10} {counts[i]} times")

# %%
# *Why not a network on the pixels?* It was not needed: the estimate explains most, what is left
# is little, and a few hundred cases teach it. Trees are read in milliseconds, with NumPy alone.
# Others learn whole tables by gradients through a soft codec: Luo, Talebi, Yang, Elad and Milanfar,
# "The rate-distortion-accuracy tradeoff: JPEG case study", 2020. *What would make it better?* More
# photographs: the spread above is that of new pictures. *Try next:* ``pyjpegml train DIR`` on a
# folder of your own, and ``compress(photo, effort="fast", model="model.npz")``; then count
# ``encodes`` with it and with ``model=False``.
