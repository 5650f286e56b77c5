"""How the learned predictor is made; needs the extra ``train`` (scikit-learn, joblib, tqdm).

:mod:`pyjpegml.training.teacher` searches for the best plans of photographs, and
:mod:`pyjpegml.training.fit` learns from them. ``pyjpegml train DIR`` does both.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np

from .fit import train
from .teacher import teach


def train_folder(
    folder: Path, records: Path, *, processes: int = 1, seconds: float = math.inf
) -> bytes:
    """Search and learn; the bytes of a model file.

    Parameters
    ----------
    folder : Path
        Photographs, at least as many as there are folds in cross-validation.
    records : Path
        JSON Lines file of the plans found so far, to which the new ones are added.
    processes : int
    seconds : float
        Processor time for the search, that of the records included.

    Raises
    ------
    ValueError
        If too few photographs are in the records.
    """
    found = [record for record in teach(folder, records, processes=processes, seconds=seconds)
             if record["subsamplings"]]  # fmt: skip
    file = io.BytesIO()
    np.savez_compressed(file, **train(folder, found, processes))
    return file.getvalue()
