"""A whole tree, file by file: which are to be done, who does them, what became of them.

::

    walk ─ names ─ filters ─ shard ─ done before? ─┬─ joblib: workers ─ Record ─┐
    (a folder at a time)                           └────────────────────────────┴─ journal, report

Folders are listed as workers take files from them; no more than twice as many files as workers are
on their way. So memory is that of the workers, of one folder's names, and of the journal's index.

*Workers* are joblib's, of whatever backend the caller has chosen (``joblib.parallel_config``):
processes here by default, Dask's on other machines. If one dies, the files that were on their way
are done again, each by itself; a file by which its worker dies twice is one that failed.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from typing import Any

from pyjpegml.files import FileError, reason

from .journal import Journal, Past
from .names import output_names
from .report import Report
from .trees import Folder, Tree, is_within, tree_of, walk
from .work import Job, Recipe, Record, work

#: Names of files that are taken for pictures, unless others are asked for.
PICTURES = (
    "*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.mpo", "*.png", "*.tif", "*.tiff", "*.webp", "*.bmp",
    "*.ppm", "*.pgm", "*.pbm", "*.pnm", "*.jp2", "*.avif", "*.gif",
)  # fmt: skip


@dataclass
class Summary:
    """What became of all files.

    Attributes
    ----------
    compressed, copied, missed, failed : int
        Files that became smaller; that would not have; ones that do not meet the target, those of
        earlier runs too; ones that could not be read, compressed or written.
    before : int
        Files that an earlier run had done.
    bytes_before, bytes_after : int
        Of the files that this run did.
    seconds : float
    stopped : str
        Why the run ended before its time; empty if it did not.
    """

    compressed: int = 0
    copied: int = 0
    missed: int = 0
    failed: int = 0
    before: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def files(self) -> int:
        """All files that were looked at."""
        return self.compressed + self.copied + self.failed + self.before

    @property
    def saved(self) -> float:
        """What part of the bytes was saved."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else 0.0

    def add(self, record: Record) -> None:
        """Count a file that this run did."""
        if record.status == "failed":
            self.failed += 1
            return
        self.compressed += record.status == "compressed"
        self.copied += record.status == "copied"
        self.missed += not record.met
        self.bytes_before += record.bytes_before
        self.bytes_after += record.bytes_after


@dataclass(frozen=True)
class Selection:
    """Which files of a tree are done.

    Attributes
    ----------
    include, exclude : tuple of str
        Patterns of names (without ``/``) or of paths in the tree; whatever their case.
    shard : (int, int)
        This part of so many, by a hash of the path.
    """

    include: tuple[str, ...] = PICTURES
    exclude: tuple[str, ...] = ()
    shard: tuple[int, int] = (0, 1)

    def takes(self, path: str) -> bool:
        """Whether a file is a picture that is asked for."""
        return _matches(path, self.include) and not _matches(path, self.exclude)

    def is_ours(self, path: str) -> bool:
        """Whether a file is in this shard."""
        part, parts = self.shard
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % parts == part


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    path = path.lower()
    name = posixpath.basename(path)
    return any(fnmatch(path if "/" in p else name, p.lower()) for p in patterns)


def find(source: Tree, selection: Selection) -> Iterator[Job | Record]:
    """The files that are to be done, folder by folder; records of folders that cannot be seen."""
    for folder, entries in walk(source):
        if isinstance(entries, Exception):
            yield Record(folder or ".", error=f"the folder cannot be listed: {reason(entries)}")
            continue
        versions = {
            entry.name: entry.version
            for entry in entries
            if not entry.is_folder and selection.takes(posixpath.join(folder, entry.name))
        }
        names = output_names(versions, (entry.name for entry in entries if entry.is_folder))
        for name in sorted(names):
            path = posixpath.join(folder, name)
            if selection.is_ours(path):
                yield Job(path, posixpath.join(folder, names[name]), versions[name])


@dataclass
class Run:
    """How a tree is done: what :func:`batch` was given, checked.

    Attributes
    ----------
    source, target : Tree
    recipe : Recipe
    selection : Selection
    jobs : int
        Workers; -1 for one a core.
    preserve, verify : bool
    tell : callable
        Called with each record, and whether it is of an earlier run.
    """

    source: Tree
    target: Tree
    recipe: Recipe
    selection: Selection
    jobs: int = -1
    preserve: bool = False
    verify: bool = False
    tell: Callable[[Record, bool], None] = lambda record, before: None
    summary: Summary = field(default_factory=Summary)

    def go(self, resume: bool, report: str | None) -> Summary:
        """Do all files; the report is begun when no other run is at work, which may write it too.

        Raises
        ------
        FileError
            If the target or the report cannot be written, or another run of the shard is at work.
        """
        began = time.perf_counter()
        part, parts = self.selection.shard
        shard = f"{part}-of-{parts}"
        try:
            journal = Journal(self.target, shard)
        except OSError as error:
            raise FileError(self.target.url, reason(error)) from error
        try:
            self.target.begin(shard)
            rows = nullcontext() if report is None else Report(report)
            with rows as table, Past(self.target, empty=not resume) as past:
                self._do(past, journal, table)
        finally:
            self.target.end()
            self._write_down(journal.close)
            self.summary.seconds = time.perf_counter() - began
        return self.summary

    def _do(self, past: Past, journal: Journal, report: Report | None) -> None:
        """Do all files, and write down what becomes of them."""
        for record, before in self._records(past):
            if before:
                self.summary.before += 1
                self.summary.missed += not record.met
            else:
                self.summary.add(record)
                self._write_down(partial(journal.add, record))
            if report is not None:
                report.add(record, "done before" if before else None)
            self.tell(record, before)
            if record.fatal:
                self.summary.stopped = record.error
            if self.summary.stopped:
                break

    def _write_down(self, write: Callable[[], None]) -> None:
        """Write in the journal; if that fails, say so, which stops the run."""
        try:
            write()
        except Exception as error:  # file systems of fsspec raise what their clients do
            self.summary.stopped = f"the journal cannot be written: {reason(error)}"

    def _records(self, past: Past) -> Iterator[tuple[Record, bool]]:
        """What became of each file, and whether an earlier run did it; as they come."""
        said: list[tuple[Record, bool]] = []  # by what feeds the workers

        def jobs() -> Iterator[Job]:
            for found in find(self.source, self.selection):
                if isinstance(found, Record):
                    said.append((found, False))
                elif done := past.done(found, self.recipe.digest, self.verify):
                    said.append((done, True))
                else:
                    yield found

        for record in self._worked(jobs()):
            yield from _emptied(said)
            yield record, False
        yield from _emptied(said)

    def _worked(self, jobs: Iterator[Job]) -> Iterator[Record]:
        """What workers make of files; those whose worker died are tried once more, alone."""
        on_their_way: dict[str, Job] = {}

        def watched() -> Iterator[Job]:
            for job in jobs:
                on_their_way[job.source] = job
                yield job

        remaining = watched()
        while True:
            try:
                for record in self._parallel(remaining):
                    del on_their_way[record.source]
                    yield record
                return
            except Exception as error:
                if not _is_a_death(error):
                    raise
            lost = list(on_their_way.values())
            on_their_way.clear()
            for job in lost:
                try:
                    yield from self._parallel([job])
                except Exception as error:
                    if not _is_a_death(error):
                        raise
                    yield Record(job.source, error=f"its worker died: {error}")

    def _parallel(self, jobs: Iterable[Job]) -> Iterator[Record]:
        """Records of workers, as they come."""
        from joblib import Parallel, delayed

        shared = self.source.in_this_process or self.target.in_this_process
        parallel = Parallel(
            self.jobs, return_as="generator_unordered", batch_size=1,
            require="sharedmem" if shared else None,
        )  # fmt: skip
        run = delayed(work)
        records: Iterator[Record] = parallel(
            run(job, self.recipe, self.source, self.target, self.preserve) for job in jobs
        )
        return records


def _emptied(said: list[tuple[Record, bool]]) -> Iterator[tuple[Record, bool]]:
    while said:
        yield said.pop(0)


def _is_a_death(error: Exception) -> bool:
    """Whether an error of a backend means that a worker is no more."""
    return type(error).__name__ in {
        "TerminatedWorkerError", "BrokenProcessPool", "KilledWorker", "CommClosedError",
    }  # fmt: skip


def batch(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    ms_ssim: float | None = None,
    effort: str = "normal",
    progressive: bool = True,
    max_bytes: int | None = None,
    metadata: str = "keep",
    others: str | None = None,
    background: tuple[int, int, int] | None = None,
    include: Iterable[str] = PICTURES,
    exclude: Iterable[str] = (),
    shard: tuple[int, int] = (0, 1),
    jobs: int = -1,
    resume: bool = True,
    verify: bool = False,
    preserve: bool = False,
    follow_links: bool = False,
    report: str | os.PathLike[str] | None = None,
    storage_options: dict[str, Any] | None = None,
    tell: Callable[[Record, bool], None] = lambda record, before: None,
) -> Summary:
    """Compress all pictures of a tree into another one, of the same structure.

    Parameters
    ----------
    source, target : path or URL
        Folders, or what fsspec reaches: ``s3://bucket/photos``, ``zip://::photos.zip``.
    ms_ssim, effort, progressive, max_bytes, metadata, others
        As for :func:`pyjpegml.compress`.
    background : (r, g, b), optional
        On which pictures with alpha are put; without it they fail.
    include, exclude : iterable of str
        Patterns of names, or of paths in the tree if there is a ``/`` in them.
    shard : (int, int)
        Only this part of so many, counted from 0; parts are chosen by a hash of the path.
    jobs : int
        Workers; -1 for one a core. With Dask there are as many as the cluster has.
    resume : bool
        Pass over what the journal of the target says is done.
    verify : bool
        Read all of what is done, and believe only its SHA-256.
    preserve : bool
        Take over times and permissions; of folders only.
    follow_links : bool
        Enter symbolic links to folders. Links to files are always read like files.
    report : path, optional
        A .csv or .json file with a row for each picture.
    storage_options : dict, optional
        For fsspec's file systems.
    tell : callable
        Called with each :class:`pyjpegml.batch.work.Record` and whether it is of an earlier run.

    Returns
    -------
    Summary

    Raises
    ------
    FileError
        If source, target or report cannot be used. What is wrong with a single file is in its
        record, and so is what :func:`pyjpegml.compress` does not take.
    ValueError
        If there is no such shard, or `preserve` is asked for and one of the trees is no folder.
    """
    recipe = Recipe(ms_ssim, effort, progressive, max_bytes, metadata, others, background)
    part, parts = shard
    if not 0 <= part < parts:
        raise ValueError(f"shard is (i, n) with i from 0 to n - 1, not {shard!r}")
    inputs, outputs = trees(source, target, follow_links, storage_options)
    if preserve and not (isinstance(inputs, Folder) and isinstance(outputs, Folder)):
        raise ValueError("times and permissions can be kept from folder to folder only")
    selection = Selection(tuple(include), tuple(exclude), shard)
    run = Run(inputs, outputs, recipe, selection, jobs, preserve, verify, tell)
    return run.go(resume, None if report is None else os.fspath(report))


def trees(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    follow_links: bool = False,
    options: dict[str, Any] | None = None,
) -> tuple[Tree, Tree]:
    """The trees of inputs and outputs, which must not overlap.

    Raises
    ------
    FileError
        If one is in the other, or there are no inputs.
    """
    inputs = tree_of(os.fspath(source), options, follow_links)
    outputs = tree_of(os.fspath(target), options)
    try:
        inputs.listed("")
    except Exception as error:  # file systems of fsspec raise what their clients do
        message = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise FileError(inputs.url, f"the folder cannot be listed: {message}") from error
    if isinstance(inputs, Folder) and isinstance(outputs, Folder):
        a, b = os.path.realpath(inputs.url), os.path.realpath(outputs.url)
        if is_within(a, b) or is_within(b, a):
            raise FileError(outputs.url, "inputs and outputs must not lie in each other")
        outputs = replace(outputs, inputs=a)
    elif not (isinstance(inputs, Folder) or isinstance(outputs, Folder)):
        a, b = (f"{tree.url.rstrip('/')}/" for tree in (inputs, outputs))
        if a.startswith(b) or b.startswith(a):
            raise FileError(outputs.url, "inputs and outputs must not lie in each other")
    if outputs.url.startswith("zip:"):
        raise FileError(outputs.url, "archives can be read from, not written to")
    return inputs, outputs
