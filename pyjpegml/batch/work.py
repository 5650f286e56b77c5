"""One file: read, compressed, written. What a worker does, in whatever process.

What becomes of a file is told in a :class:`Record`, errors too: nothing is raised but what concerns
the whole run (a full disk). A file that would not become smaller is copied as it is, under its own
name, so that all pictures are in the target and none is larger than it was.

*Kernels* are compiled or loaded once for each process before its first file, one process of a
machine after the other (:func:`prepare`): one compiles, the rest load what it kept.
"""

from __future__ import annotations

import errno
import hashlib
import json
import posixpath
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from pyjpegml._jit import cache_directory, cache_root
from pyjpegml.files import FileError

from .trees import Folder, Tree


@dataclass(frozen=True)
class Recipe:
    """How files are compressed: arguments of :func:`pyjpegml.compress`, and a background for alpha.

    Attributes
    ----------
    ms_ssim : float or None
    effort : str
    progressive : bool
    max_bytes : int or None
    metadata : "keep" or "strip"
    others : "keep", "drop" or None
    background : (r, g, b) or None
    """

    ms_ssim: float | None = None
    effort: str = "normal"
    progressive: bool = True
    max_bytes: int | None = None
    metadata: str = "keep"
    others: str | None = None
    background: tuple[int, int, int] | None = None

    @property
    def digest(self) -> str:
        """The same for the same recipe, in any process."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Job:
    """A file that is to be compressed.

    Attributes
    ----------
    source : str
        In the tree of inputs.
    target : str
        In that of outputs.
    version : str
        Of the source, as listed.
    """

    source: str
    target: str
    version: str = ""


@dataclass(frozen=True)
class Record:
    """What became of a file.

    Attributes
    ----------
    source, target : str
        Files in their trees; the target is empty if nothing was written.
    status : str
        ``"compressed"``, ``"copied"`` or ``"failed"``.
    planned : str
        What the target was to be called, were it compressed.
    version : str
        Of the input.
    recipe : str
        Digest of the :class:`Recipe`.
    bytes_before, bytes_after : int
    sha256 : str
        Of the output.
    met : bool
        Whether the target score was met.
    ms_ssim : float or None
    width, height, encodes : int
    plan : str
        Subsampling.
    seconds : float
    error : str
    fatal : bool
        Whether no other file can be expected to fare better.
    """

    source: str
    target: str = ""
    status: str = "failed"
    planned: str = ""
    version: str = ""
    recipe: str = ""
    bytes_before: int = 0
    bytes_after: int = 0
    sha256: str = ""
    met: bool = False
    ms_ssim: float | None = None
    width: int = 0
    height: int = 0
    encodes: int = 0
    plan: str = ""
    seconds: float = 0.0
    error: str = ""
    fatal: bool = False


#: In a directory of compiled kernels: those that files need are there.
PREPARED = "batch.prepared"

#: After these errors of writing every other file would fail as well.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def work(job: Job, recipe: Recipe, source: Tree, target: Tree, preserve: bool) -> Record:
    """Compress one file.

    Parameters
    ----------
    job : Job
    recipe : Recipe
    source, target : Tree
    preserve : bool
        Whether the output takes over times and permissions.
    """
    began = time.perf_counter()
    facts: dict[str, Any] = {"planned": job.target, "version": job.version, "recipe": recipe.digest}
    try:
        prepare()
        data = source.read(job.source)
        facts["bytes_before"] = len(data)
        made, found = compressed(job.source, data, recipe)
        copied = len(made) >= len(data)
        if copied:
            made = data
            output = posixpath.join(posixpath.dirname(job.target), posixpath.basename(job.source))
            found |= {"ms_ssim": 1.0, "met": recipe.max_bytes is None or found["met"]}
        else:
            output = job.target
        like = source.path(job.source) if preserve and isinstance(source, Folder) else None
        target.write(output, made, like)
        facts |= found
        facts |= {
            "target": output,
            "status": "copied" if copied else "compressed",
            "bytes_after": len(made),
            "sha256": hashlib.sha256(made).hexdigest(),
        }
    except Exception as error:  # one bad file never stops the run
        facts["error"] = _words(error, job.source)
        facts["fatal"] = isinstance(error, OSError) and error.errno in _FATAL
    return Record(job.source, seconds=round(time.perf_counter() - began, 4), **facts)


def compressed(name: str, data: bytes, recipe: Recipe) -> tuple[bytes, dict[str, Any]]:
    """The JPEG made of a file's bytes, and what is to be said of it.

    Raises
    ------
    JpegError, FileError
        If the data hold no picture that a JPEG can hold.
    ValueError
        If no file has so few bytes.
    """
    from pyjpegml.files import is_jpeg, read_picture
    from pyjpegml.rate import compress

    picture = read_picture(name, data, recipe.background, recipe.metadata == "keep")
    recompressed = is_jpeg(data) and picture.maximum == 255
    color = "CMYK" if picture.color == "CMYK" and not recompressed else None
    result = compress(
        data if recompressed else picture.scaled(),
        color=color,
        ms_ssim=recipe.ms_ssim,
        max_bytes=recipe.max_bytes,
        effort=recipe.effort,
        progressive=recipe.progressive,
        metadata=recipe.metadata if recompressed else picture.metadata,
        others=recipe.others if recompressed else None,
    )
    return result.data, {
        "met": result.met,
        "ms_ssim": result.ms_ssim,
        "width": result.width,
        "height": result.height,
        "encodes": result.encodes,
        "plan": result.subsampling,
    }


def _words(error: Exception, source: str) -> str:
    """An error in one line, without the file's name, which stands beside it."""
    if isinstance(error, FileError):
        return error.message if error.name == source else str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}"
    return f"{type(error).__name__}: {error}"


# --- compiled kernels ----------------------------------------------------------------------------


@cache
def prepare() -> None:
    """Compile what files need, unless that is done; once a process, and one process at a time."""
    from pyjpegml import _objects
    from pyjpegml.warmup import run_task

    kept = _objects.directory() if _objects.enabled() else cache_directory()
    with _alone():
        if (kept / PREPARED).exists():
            return
        for task in ("decode", "compress"):
            run_task(task)
        with suppress(OSError):  # a cache that cannot be written to
            kept.mkdir(parents=True, exist_ok=True)
            (kept / PREPARED).touch()


@contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock of this machine, where the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows: then several may compile the same at first
        yield
        return
    file = None
    with suppress(OSError):  # a cache that cannot be written to, or no locks there
        cache_root().mkdir(parents=True, exist_ok=True)
        file = open(cache_root() / "prepare.lock", "ab")  # noqa: SIM115
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file is not None:
            file.close()
