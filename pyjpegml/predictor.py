"""The learned predictor: from a picture's features to a first plan for rounded coefficients.

The closed form (:mod:`pyjpegml.tables`) and the steps that suit the picture's own coefficients
(:mod:`pyjpegml.steps`) are the prior, and gradient-boosted trees have learned what is left, from
plans that a search found best on training photographs (:mod:`pyjpegml.training`):

- how far knobs are to be turned (:mod:`pyjpegml.knobs`), which shape the tables;
- how far the estimate of the loss will be off then, as a logarithm; and how far it is off for the
  first levels of the closed loop of trellis and gradient, which need not be scored then.

The tables of the closed loop are those of the closed form: no knob made its files smaller on
photographs that were held out, and the subsampling was predicted no better than it is estimated.

*Monotone.* Knobs do not see the target, so tables of one shape meet all targets. What the estimate
is to be is the budget over the error that is foreseen. The trees of errors see the target as
``loss`` and ``room`` and are bound to grow with both; they stand for ``SLOPE loss - error``, and
``(1 - SLOPE) loss`` grows as well: so the sum, the logarithm of that estimate, grows with the
target's loss, and may still correct the prior downwards.

*The file* holds plain arrays and is read without pickle. It may come from a stranger: shapes,
types, ranges and finiteness are checked, and children stand behind their parents, so a walk ends.
The worst that such a model can do is to predict badly; every file that is returned is scored all
the same.

*Out of range.* If a feature is further from the training photographs' than a quarter of their
range, nothing is predicted, and the prior is the start. (Pictures may be larger.)
"""

from __future__ import annotations

import math
import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._jit import kernel
from .features import LEAST_LOSS, NAMES, features
from .knobs import FIRST_SHAPE, FURTHEST, KNOBS, Start
from .scale_search import Candidate

#: Version of the file's format.
VERSION = 3
#: The features that know the target: ln of 1 - target, and of what is left of it for quantization.
TARGET_NAMES = ("loss", "room")
INPUTS = (*NAMES, *TARGET_NAMES)
LOSS = INPUTS.index("loss")
#: What trees predict: knobs of rounded coefficients, and errors of the estimate.
OUTPUTS: tuple[str, ...] = (
    *(f"rounded_{knob}" for knob in KNOBS[FIRST_SHAPE:]), "rounded_loss", "loop_loss",
)  # fmt: skip
#: The trees of errors see the target and stand for ``SLOPE loss - error``.
SLOPE = 0.2
#: By what part of its range a feature may leave it.
MARGIN = 0.25
#: No error beyond this is believed, as a logarithm.
LARGEST_ERROR = 0.7
#: First levels of the loop are taken to lose more by this, as a logarithm: from a start that is too
#: coarse the target is hardly reached. On 89 photographs at .99, 0.06 spared a fifth of an encode
#: more and made files .3 % larger; -0.02 and -0.06 made them .1 and .2 % larger, with a quarter and
#: two fifths of an encode more.
LOOP_MARGIN = 0.02
#: What a file may hold, at most.
MOST_NODES, MOST_TREES, MOST_BYTES = 200_000, 10_000, 16 << 20
#: Names the model file to use instead of the one that comes with the package.
ENVIRONMENT = "PYJPEGML_MODEL"
SHIPPED = Path(__file__).parent / "model.npz"

#: Arrays of a model file, with their types and numbers of dimensions.
_ARRAYS: dict[str, tuple[type[np.generic], int]] = {
    "inputs": (np.str_, 1),
    "outputs": (np.str_, 1),
    "low": (np.float64, 1),
    "high": (np.float64, 1),
    "baselines": (np.float64, 1),
    "roots": (np.int32, 1),
    "output_of": (np.int32, 1),
    "feature": (np.int32, 1),
    "threshold": (np.float64, 1),
    "right": (np.int32, 1),
    "value": (np.float64, 1),
}


@kernel
def walk_trees(inputs, feature, threshold, right, value, roots, output_of, out):
    """Add the leaves that an input reaches, tree by tree.

    Parameters
    ----------
    inputs : (n,) float64
    feature : (nodes,) int32
        What a node asks for, in ``[0, n)``; -1 for a leaf.
    threshold : (nodes,) float64
        Not above it, go to the next node; else to `right`.
    right : (nodes,) int32
        In ``(node, nodes)``, where there is a feature; and then node + 1 is below `nodes`.
    value : (nodes,) float64
        Of leaves.
    roots, output_of : (trees,) int32
        In ``[0, nodes)`` and ``[0, outputs)``.
    out : (outputs,) float64
        Is added to.

    Returns
    -------
    int
        Nodes that were visited.
    """
    visited = 0
    for t in range(roots.shape[0]):
        node = np.int64(roots[t])
        while feature[node] >= 0:
            visited += 1
            node = node + 1 if inputs[feature[node]] <= threshold[node] else np.int64(right[node])
        out[output_of[t]] += value[node]
    return visited


class Model:
    """Trees, and what they were trained on.

    Parameters
    ----------
    arrays : mapping
        The arrays of a file; what is not among those of a model is kept in `facts`.

    Attributes
    ----------
    low, high : (inputs,) float64
        Range of each input in training.
    facts : dict
        What else the file says: seed, versions, hashes, metrics.

    Raises
    ------
    ValueError
        If the arrays are not a model; says which one, and what it should be.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        for name, (kind, dimensions) in _ARRAYS.items():
            if name not in arrays:
                raise ValueError(f"a model has an array {name!r}, which is missing")
            array = arrays[name]
            if not np.issubdtype(array.dtype, kind) or array.ndim != dimensions:
                raise ValueError(
                    f"{name!r} is an array of {kind.__name__} and {dimensions} dimension, "
                    f"not of {array.dtype} and {array.ndim}"
                )
        version = arrays.get("version", np.array(0))
        if version.shape != () or version.dtype.kind not in "iu" or int(version) != VERSION:
            raise ValueError(f"the format of a model is version {VERSION}, not {version}")
        for name, expected in (("inputs", INPUTS), ("outputs", OUTPUTS)):
            if tuple(arrays[name].tolist()) != expected:
                raise ValueError(f"{name!r} are not those of this version of pyjpegml")
        nodes, trees = len(arrays["feature"]), len(arrays["roots"])
        for names, size in (
            (("low", "high"), len(INPUTS)),
            (("baselines",), len(OUTPUTS)),
            (("output_of",), trees),
            (("threshold", "right", "value"), nodes),
        ):
            for name in names:
                if len(arrays[name]) != size:
                    raise ValueError(f"{name!r} has {size} entries, not {len(arrays[name])}")
        if nodes > MOST_NODES or trees > MOST_TREES:
            raise ValueError(f"a model has at most {MOST_NODES} nodes and {MOST_TREES} trees")
        for name, (kind, _) in _ARRAYS.items():
            if kind is np.float64 and not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name!r} has entries that are not finite")
        if (arrays["low"] > arrays["high"]).any():
            raise ValueError("'low' is above 'high'")
        _check_indices("roots", arrays["roots"], 0, nodes)
        _check_indices("output_of", arrays["output_of"], 0, len(OUTPUTS))
        _check_indices("feature", arrays["feature"], -1, len(INPUTS))
        inner = np.flatnonzero(arrays["feature"] >= 0)
        right = arrays["right"][inner]
        if (right <= inner).any() or (right >= nodes).any() or (inner + 1 >= nodes).any():
            raise ValueError("'right' leads to a node that is not behind its parent")
        self.low, self.high = arrays["low"], arrays["high"]
        self._arrays = {name: np.ascontiguousarray(arrays[name]) for name in _ARRAYS}
        self.facts = {name: array for name, array in arrays.items() if name not in _ARRAYS}

    def predict(self, inputs: npt.NDArray[np.float64]) -> dict[str, float]:
        """All outputs for one vector of inputs."""
        a = self._arrays
        out = a["baselines"].copy()
        walk_trees(
            np.ascontiguousarray(inputs, np.float64), a["feature"], a["threshold"], a["right"],
            a["value"], a["roots"], a["output_of"], out,
        )  # fmt: skip
        return dict(zip(OUTPUTS, out.tolist(), strict=True))

    def covers(self, inputs: npt.NDArray[np.float64]) -> bool:
        """Whether features and target are like those seen in training.

        A picture may have more pixels, which change little.
        """
        margin = MARGIN * (self.high - self.low)
        above = inputs > self.high + margin
        above[INPUTS.index("size")] = False
        return bool((inputs >= self.low - margin).all() and not above.any())

    def start(self, plan: Candidate, budget: float) -> Start | None:
        """Where to begin with a subsampling.

        Parameters
        ----------
        plan : Candidate
            Of a picture in colour.
        budget : float
            1 - target, above the candidate's floor.

        Returns
        -------
        Start, or None if picture or target are unlike all that the model was trained on.
        """
        inputs = np.r_[plan_features(plan), target_features(budget, plan.floor)]
        if not self.covers(inputs):
            return None
        found = self.predict(np.clip(inputs, self.low, self.high))
        loss = float(np.clip(math.log(budget), self.low[LOSS], self.high[LOSS]))
        shapes = [found[f"rounded_{knob}"] for knob in KNOBS[FIRST_SHAPE:]]
        knobs = np.r_[np.zeros(FIRST_SHAPE), shapes]
        # the estimate is never asked to be nearer to the floor than this, where it would be FINEST
        most = min(LARGEST_ERROR, math.log(budget / max(plan.floor, LEAST_LOSS)) / 2)
        errors = [SLOPE * loss - found[name] for name in ("rounded_loss", "loop_loss")]
        rounded, loop = (min(max(error, -LARGEST_ERROR), most) for error in errors)
        return Start(np.clip(knobs, -FURTHEST, FURTHEST), rounded, loop + LOOP_MARGIN)


def plan_features(plan: Candidate) -> npt.NDArray[np.float64]:
    """Its features, which are computed once."""
    if plan.features is None:
        plan.features = features(plan)
    return plan.features


def target_features(budget: float, floor: float) -> npt.NDArray[np.float64]:
    """Values of TARGET_NAMES."""
    return np.log([budget, max(budget - floor, 1e-3 * budget)])


def _check_indices(name: str, array: npt.NDArray[Any], low: int, end: int) -> None:
    if array.size and not (low <= array.min() and array.max() < end):
        raise ValueError(f"{name!r} has entries outside {low} to {end - 1}")


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not a model that can be used.
    """
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
            if sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise ValueError(f"a model has at most {MOST_BYTES} bytes")
        with np.load(path, allow_pickle=False) as file:
            return Model({name: file[name] for name in file.files})
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError, NotImplementedError) as error:
        raise ValueError(f"{os.fspath(path)} is not a usable model: {error}") from error


@lru_cache(maxsize=4)
def _loaded(path: str, changed: int) -> Model:
    return load(path)


def choose_model(model: str | os.PathLike[str] | bool | None) -> Model | None:
    """The model that :func:`pyjpegml.compress` is to use.

    Parameters
    ----------
    model : path, bool or None
        False for none; a path; or else the one that the environment variable PYJPEGML_MODEL names,
        or the one that comes with the package.
    """
    if model is False:
        return None
    path = os.environ.get(ENVIRONMENT) or SHIPPED if model is None or model is True else model
    return _loaded(os.fspath(path), os.stat(path).st_mtime_ns)
