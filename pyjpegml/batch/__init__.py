"""Many files: trees of pictures compressed, here or on a cluster, interrupted and resumed at will.

::

    from pyjpegml.batch import batch

    summary = batch("photos", "smaller", ms_ssim=0.99)
    summary = batch("s3://bucket/photos", "s3://bucket/smaller")

The modules: :mod:`~pyjpegml.batch.trees` (what is read and written), :mod:`~pyjpegml.batch.names`
(what outputs are called), :mod:`~pyjpegml.batch.work` (one file), :mod:`~pyjpegml.batch.journal`
(what is done), :mod:`~pyjpegml.batch.report`, :mod:`~pyjpegml.batch.run` (all of it).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run import Summary, batch
    from .work import Record

__all__ = ["Record", "Summary", "batch"]

_HOME = {"Record": "work", "Summary": "run", "batch": "run"}


def __getattr__(name: str) -> Any:
    """Import a name at its first use (PEP 562): other modules of the package need few of them."""
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
