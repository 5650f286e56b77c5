"""Learn from the teacher's records, and write a model file.

*Errors and sizes* are regressed on features as they are: by how much first encodes lose more than
was estimated (:mod:`pyjpegml.training.first`), and ln of size over the estimate.

*Knobs.* A case's eight runs (:mod:`pyjpegml.training.teacher`) give the slope of ln size along each
knob, without bias but with noise as large as itself. Where the size is least would be at ``-slope /
curvature``; the curvature of each knob is taken to be the same for all pictures, and comes from how
much larger the runs are on average than the file in their middle. So what is learned is the slope
over the curvature, and noise is averaged away by the regression. What a knob gains is then judged
on the held-out slopes: ``slope * knob + curvature / 2 * knob^2`` is, but for noise of mean 0, the
change of ln size.

Photographs, not cases, are split for cross-validation, which also chooses the number of trees.
Trees are compared with ridge regression and with the best constant.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pyjpegml
from pyjpegml.features import NAMES, features
from pyjpegml.knobs import FIRST_SHAPE, KNOBS
from pyjpegml.metrics import Reference
from pyjpegml.predictor import (
    INPUTS,
    OUTPUTS,
    SLOPE,
    TARGET_NAMES,
    VERSION,
    target_features,
)
from pyjpegml.scale_search import add_sampling_loss, candidate
from pyjpegml.sensitivity import block_maps
from pyjpegml.training.first import first_encodes
from pyjpegml.training.teacher import Case, digest_of, photographs, picture_of, read_rgb

Array = npt.NDArray[np.float64]

#: Folds of the cross-validation, and trees at most.
FOLDS, MOST_ITERATIONS = 5, 300
#: How boosting learns: small trees, and leaves of many cases for outputs that are mostly noise.
LEARNING_RATE, LEAVES = 0.05, 8
LEAST_CASES = {"loss": 20, "size": 10, "knob": 30}
#: Curvatures are drawn to an equal share as if so many cases had shown it; and the least share.
PRIOR_CASES, LEAST_CURVATURE = 50, 1e-4
#: Changes of ln size beyond this come from files that break off, and are cut.
OUTLIER = 0.05


def features_of(record: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    """Features and the estimate of a case's subsamplings: inputs, then ln of bytes estimated at the
    scale of the closed form.
    """
    case = Case.of(record)
    image = picture_of(case, read_rgb(folder / case.name))
    reference = Reference(image)
    maps = block_maps(reference)
    found = {}
    for entry in record["subsamplings"]:
        plan = candidate(image, reference, entry["name"], maps)
        add_sampling_loss(plan, image, reference)
        budget = 1 - case.target
        size = plan.estimator.estimate(plan.qtables(plan.scale_for(budget))).size
        inputs = np.r_[features(plan), target_features(budget, plan.floor)]
        found[entry["name"]] = [*inputs.tolist(), float(np.log(size))]
    return found


@dataclass
class Lessons:
    """What is to be learned, one row a case and subsampling.

    Attributes
    ----------
    inputs : (rows, inputs) float64
    groups : (rows,) int
        Number of the photograph.
    labels : dict of (rows,) float64
        By output; NaN where the teacher does not know.
    slopes : dict of (rows,) float64
        Of ln size along each knob, by output; NaN likewise.
    curvatures : dict of float
        By output.
    """

    inputs: Array
    groups: npt.NDArray[np.int64]
    labels: dict[str, Array]
    slopes: dict[str, Array]
    curvatures: dict[str, float]


def _response(knobs: Array, sizes: Array, middle: float) -> tuple[Array, float] | None:
    """Slopes of ln size along knobs, and how much larger the runs are on average than the file in
    their middle; None where too many failed. Outliers are cut.
    """
    valid = np.isfinite(sizes)
    if valid.sum() < 7 or not np.isfinite(middle):
        return None
    amplitudes = np.abs(knobs).max(0)
    used = amplitudes > 0
    changes = np.clip(sizes[valid] - middle, -OUTLIER, OUTLIER)
    design = np.c_[np.ones(valid.sum()), knobs[valid][:, used] / amplitudes[used]]
    found = np.linalg.lstsq(design, changes, rcond=1e-6)[0]
    slopes = np.zeros(len(KNOBS))
    slopes[used] = found[1:] / amplitudes[used]
    return slopes, float(found[0])


def _curvatures(amplitudes: Array, rises: Array) -> Array:
    """Of each knob, from the runs' rises: by ridge regression around an equal share for all, and no
    less than a third of that.
    """
    mean = amplitudes.mean(0)
    squares = (amplitudes / mean) ** 2 / 2
    share = max(float(rises.mean() / squares.mean(0).sum()), LEAST_CURVATURE)
    left = squares.T @ squares + PRIOR_CASES * np.eye(squares.shape[1])
    found = share + np.linalg.solve(left, squares.T @ (rises - squares.sum(1) * share))
    return np.asarray(np.maximum(found, share / 3) / mean**2)


#: What first encodes teach, and what the teacher does.
ERRORS = ("rounded_loss", "loop_loss")
TAUGHT = tuple(name for name in OUTPUTS if name not in ERRORS)
#: What is cross-validated too, and not exported: sizes, to choose subsamplings; knobs of the loop.
TRIED = ("rounded_size", "loop_size", *(f"loop_{knob}" for knob in KNOBS[1:]))
#: What a case's runs tell slopes of: knobs of rounded coefficients and of the loop.
RUNS = {"rounded": KNOBS[FIRST_SHAPE:], "loop": KNOBS[1:]}


def lessons_of(records: list[dict[str, Any]], known: dict[str, Any]) -> Lessons:
    """What records teach; `known` holds their features by key."""
    inputs, groups = [], []
    labels: dict[str, list[float]] = {name: [] for name in TRIED if _kind(name) != "knob"}
    slopes: dict[str, list[float]] = {f"{kind}_{k}": [] for kind in RUNS for k in RUNS[kind]}
    amplitudes: dict[str, list[Array]] = {kind: [] for kind in RUNS}
    rises: dict[str, list[float]] = {kind: [] for kind in RUNS}
    names = sorted({record["digest"] for record in records})
    for record in records:
        for entry in record["subsamplings"]:
            *row, size = known[Case.of(record).key][entry["name"]]
            inputs.append(row)
            groups.append(names.index(record["digest"]))
            for kind, bytes_ in (
                ("rounded", entry["rounded_size"]), ("loop", entry["loop"][0])
            ):  # fmt: skip
                labels[f"{kind}_size"].append(bytes_ - size)
                found = None
                if entry["name"] == record.get("chosen"):
                    runs = record["runs" if kind == "loop" else "rounded_runs"]
                    table = np.array(runs[: len(KNOBS) + 1], np.float64)
                    knobs, results = table[:, : len(KNOBS)], table[:, len(KNOBS) :]
                    found = _response(knobs, results[:, 0 if kind == "loop" else 2], bytes_)
                if found is not None:
                    columns = [KNOBS.index(knob) for knob in RUNS[kind]]
                    amplitudes[kind].append(np.abs(knobs).max(0)[columns])
                    rises[kind].append(found[1])
                for knob in RUNS[kind]:
                    value = np.nan if found is None else float(found[0][KNOBS.index(knob)])
                    slopes[f"{kind}_{knob}"].append(value)
    curvatures = {
        f"{kind}_{knob}": float(value)
        for kind in RUNS
        if rises[kind]
        for knob, value in zip(
            RUNS[kind], _curvatures(np.array(amplitudes[kind]), np.array(rises[kind])), strict=True
        )
    }
    return Lessons(
        np.array(inputs), np.array(groups),
        {name: np.array(values) for name, values in labels.items()},
        {name: np.array(values) for name, values in slopes.items()}, curvatures,
    )  # fmt: skip


def _kind(output: str) -> str:
    last = output.rpartition("_")[2]
    return last if last in ("loss", "size") else "knob"


# --- boosting ------------------------------------------------------------------------------------


def _booster(output: str, iterations: int) -> Any:
    """Trees for an output, monotone in the target where they see it."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    monotonic = [int(name in TARGET_NAMES) for name in INPUTS] if _kind(output) == "loss" else None
    return HistGradientBoostingRegressor(
        learning_rate=LEARNING_RATE, max_iter=iterations, max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_CASES[_kind(output)], l2_regularization=1.0,
        monotonic_cst=monotonic, early_stopping=False, random_state=0,
    )  # fmt: skip


def _seen(output: str, inputs: Array) -> Array:
    """Inputs as trees of this output see them: all but errors are blind to the target."""
    if _kind(output) == "loss":
        return inputs
    blind = inputs.copy()
    blind[:, len(NAMES) :] = 0
    return blind


def _folds(groups: npt.NDArray[np.int64]) -> list[tuple[Any, Any]]:
    from sklearn.model_selection import GroupKFold

    return list(GroupKFold(FOLDS).split(groups, groups=groups))


def _cross_validate(output: str, inputs: Array, label: Array, groups: Any) -> dict[str, Any]:
    """Predictions for held-out photographs by trees (with the best number), ridge and constant."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    trees = np.zeros((MOST_ITERATIONS, len(label)))
    ridge, constant = np.zeros(len(label)), np.zeros(len(label))
    for train, test in _folds(groups):
        model = _booster(output, MOST_ITERATIONS).fit(inputs[train], label[train])
        trees[:, test] = list(model.staged_predict(inputs[test]))
        linear = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1, 1e5, 11)))
        ridge[test] = linear.fit(inputs[train], label[train]).predict(inputs[test])
        constant[test] = label[train].mean()
    errors = ((trees - label) ** 2).mean(1)
    best = int(errors.argmin())
    return {"iterations": best + 1, "trees": trees[best], "ridge": ridge, "constant": constant}


def lessons_of_errors(rows: list[tuple[int, list[float]]]) -> Lessons:
    """What first encodes teach: the number of the photograph, inputs, and the two errors."""
    table = np.array([row for _, row in rows]).reshape(len(rows), len(INPUTS) + len(ERRORS))
    inputs, errors = table[:, : len(INPUTS)], table[:, len(INPUTS) :]
    prior = SLOPE * inputs[:, INPUTS.index("loss")]
    labels = {name: prior - errors[:, i] for i, name in enumerate(ERRORS)}
    return Lessons(inputs, np.array([number for number, _ in rows]), labels, {}, {})


def fit(lessons: Lessons, outputs: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One booster for each output, and what cross-validation says of them.

    Raises
    ------
    ValueError
        If too few photographs tell of an output.
    """
    boosters: dict[str, Any] = {}
    report: dict[str, Any] = {}
    for output in outputs:
        slope = lessons.slopes[output] if _kind(output) == "knob" else None
        curvature = lessons.curvatures.get(output, 1.0)
        label = lessons.labels[output] if slope is None else -slope / curvature
        rows = np.isfinite(label)
        photographs = len(set(lessons.groups[rows].tolist()))
        if photographs < FOLDS and output in OUTPUTS:
            raise ValueError(
                f"a model is learned from {FOLDS} photographs or more; {photographs} tell of "
                f"{output.replace('_', ' ')}"
            )
        if photographs < FOLDS:
            continue
        inputs = _seen(output, lessons.inputs[rows])
        found = _cross_validate(output, inputs, label[rows], lessons.groups[rows])
        prior = np.zeros(rows.sum())
        if _kind(output) == "loss":
            prior = SLOPE * lessons.inputs[rows, INPUTS.index("loss")]
        entry: dict[str, Any] = {"cases": int(rows.sum()), "iterations": found["iterations"]}
        for name, predicted in (
            ("prior", prior), *((n, found[n]) for n in ("constant", "ridge", "trees")),
        ):  # fmt: skip
            if slope is None:
                error = label[rows] - predicted
                entry[name] = {
                    "bias": float(error.mean()),
                    "sd": float(error.std()),
                    "median": float(np.median(np.abs(error))),
                    "within 10 %": float((np.abs(np.expm1(error)) <= 0.1).mean()),
                }
            else:
                gain = slope[rows] * predicted + curvature / 2 * predicted**2
                deviation = float(gain.std() / np.sqrt(len(gain)))
                entry[name] = {"ln size": float(gain.mean()), "standard error": deviation}
        report[output] = entry
        if output in OUTPUTS:
            boosters[output] = _booster(output, found["iterations"]).fit(inputs, label[rows])
    return boosters, report


# --- the file ------------------------------------------------------------------------------------


def arrays_of(boosters: dict[str, Any], inputs: Array) -> dict[str, npt.NDArray[Any]]:
    """Trees as the arrays of a model file: each node's left child follows it."""
    feature: list[int] = []
    threshold: list[float] = []
    right: list[int] = []
    value: list[float] = []
    roots, output_of = [], []

    def add(nodes: Any, index: int) -> None:
        node = nodes[index]
        here = len(feature)
        leaf = bool(node["is_leaf"])
        feature.append(-1 if leaf else int(node["feature_idx"]))
        threshold.append(0.0 if leaf else float(node["num_threshold"]))
        right.append(0)
        value.append(float(node["value"]) if leaf else 0.0)
        if not leaf:
            add(nodes, int(node["left"]))
            right[here] = len(feature)
            add(nodes, int(node["right"]))

    for number, output in enumerate(OUTPUTS):
        for (tree,) in boosters[output]._predictors:
            roots.append(len(feature))
            output_of.append(number)
            add(tree.nodes, 0)
    return {
        "version": np.array(VERSION),
        "inputs": np.array(INPUTS),
        "outputs": np.array(OUTPUTS),
        "low": inputs.min(0),
        "high": inputs.max(0),
        "baselines": np.array([float(boosters[o]._baseline_prediction[0, 0]) for o in OUTPUTS]),
        "roots": np.array(roots, np.int32),
        "output_of": np.array(output_of, np.int32),
        "feature": np.array(feature, np.int32),
        "threshold": np.array(threshold),
        "right": np.array(right, np.int32),
        "value": np.array(value),
    }


def train(folder: Path, records: list[dict[str, Any]], processes: int = 1) -> dict[str, Any]:
    """Learn from records of the photographs in a folder; the arrays of a model file."""
    import sklearn
    from joblib import Parallel, delayed

    records = sorted(records, key=lambda record: Case.of(record).key)
    found = Parallel(processes)(delayed(features_of)(record, folder) for record in records)
    known = {Case.of(record).key: row for record, row in zip(records, found, strict=True)}
    lessons = lessons_of(records, known)
    boosters, report = fit(lessons, (*TAUGHT, *TRIED))
    paths = photographs(folder)
    tables = Parallel(processes)(delayed(first_encodes)(path) for path in paths)
    rows = [(number, row) for number, table in enumerate(tables) for row in table]
    errors = lessons_of_errors(rows)
    more, report_of_errors = fit(errors, ERRORS)
    boosters, report = boosters | more, report | report_of_errors
    facts = {
        "cases": len(records),
        "first encodes": 2 * len(rows),
        "plans": sum(2 * len(r["subsamplings"]) + len(r["runs"]) + len(r["rounded_runs"])
                     for r in records),
        "photographs": len(paths),
        "corpus": corpus_hash(paths),
        "seconds": round(sum(record["seconds"] for record in records)),
        "curvatures": lessons.curvatures,
        "versions": {"pyjpegml": pyjpegml.__version__, "numpy": np.__version__,
                     "scikit-learn": sklearn.__version__},
        "cross-validation": report,
    }  # fmt: skip
    seen = np.concatenate([lessons.inputs, errors.inputs])
    return arrays_of(boosters, seen) | {"facts": np.array(json.dumps(facts))}


def corpus_hash(paths: list[Path]) -> str:
    """First 16 digits of the SHA-256 of the photographs' hashes."""
    digests = sorted({digest_of(read_rgb(path)) for path in paths})
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]
