"""``pyjpegml batch``: progress, errors and a summary of :func:`pyjpegml.batch.batch`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from pyjpegml.console import CommandError, ExitCode, report, say, show

from .journal import Past
from .run import PICTURES, Selection, Summary, batch, find, trees
from .trees import is_local
from .work import Recipe, Record


def run_batch(arguments: argparse.Namespace) -> ExitCode:
    """All pictures of a tree, compressed into another one."""
    selection = Selection(
        tuple(arguments.include or PICTURES), tuple(arguments.exclude or ()), arguments.shard
    )
    if arguments.preserve and not (is_local(arguments.source) and is_local(arguments.target)):
        message = "--preserve is for folders: times and permissions of objects are not kept"
        raise CommandError(ExitCode.USAGE, message)
    if arguments.others == "keep" and arguments.metadata != "keep":
        message = "--others keep needs --metadata keep: the lists of other images are metadata"
        raise CommandError(ExitCode.USAGE, message)
    options = {
        name: getattr(arguments, name)
        for name in ("ms_ssim", "effort", "progressive", "max_bytes", "metadata", "others")
    } | {"background": arguments.background}
    if arguments.dry_run:
        return _list(arguments, selection, Recipe(**options))
    with ExitStack() as stack:
        try:
            stack.enter_context(_backend(arguments))
            progress = stack.enter_context(_Progress(arguments, selection))
        except ImportError as error:
            message = f"{error}; batch needs what pip install 'pyjpegml[batch]' brings"
            raise CommandError(ExitCode.FILE_FAILED, message) from error
        stack.enter_context(_interrupted_by_sigterm())
        try:
            summary = batch(
                arguments.source,
                arguments.target,
                **options,
                include=selection.include,
                exclude=selection.exclude,
                shard=selection.shard,
                jobs=arguments.jobs,
                resume=arguments.resume,
                verify=arguments.verify,
                preserve=arguments.preserve,
                follow_links=arguments.follow_links,
                report=arguments.report,
                tell=progress.tell,
            )
        except KeyboardInterrupt:
            progress.close()
            say("what is done is done, and nothing half; the same command goes on from here")
            raise
    report(arguments, asdict(summary) | {"saved": summary.saved}, _text(summary))
    if summary.stopped:
        message = f"stopped: {summary.stopped}; the same command goes on from here"
        raise CommandError(ExitCode.FILE_FAILED, message)
    if summary.failed:
        return ExitCode.FILE_FAILED
    return ExitCode.TARGET_NOT_MET if summary.missed else ExitCode.DONE


def _list(arguments: argparse.Namespace, selection: Selection, recipe: Recipe) -> ExitCode:
    """Say what would be done."""
    source, target = trees(arguments.source, arguments.target, arguments.follow_links)
    before = wanted = 0
    code = ExitCode.DONE
    with Past(target, empty=not arguments.resume) as past:
        for found in find(source, selection):
            if isinstance(found, Record):
                say(f"{found.source}: {found.error}")
                code = ExitCode.FILE_FAILED
            elif past.done(found, recipe.digest, arguments.verify):
                before += 1
            else:
                wanted += 1
                show(f"{found.source} -> {found.target}", sys.stdout)
    show(f"{wanted} files to do, {before} done before", sys.stderr)
    return code


def _text(summary: Summary) -> str:
    """A summary in a few lines."""
    count = summary.compressed + summary.copied
    return (
        f"{count} files in {summary.seconds:.1f} s: {summary.compressed} compressed, "
        f"{summary.copied} copied because they would not become smaller\n"
        f"{_size(summary)}\n"
        f"{summary.before} done before, {summary.missed} below the target, {summary.failed} failed"
    )


def _size(summary: Summary) -> str:
    before, after = summary.bytes_before / 1e6, summary.bytes_after / 1e6
    return f"{before:.2f} MB in, {after:.2f} MB out, {100 * summary.saved:.1f} % saved"


@contextmanager
def _backend(arguments: argparse.Namespace) -> Iterator[None]:
    """The joblib backend that was asked for."""
    from joblib import parallel_config

    if arguments.dask:
        from distributed import Client

        try:
            client = Client(arguments.dask)
        except OSError as error:
            raise CommandError(ExitCode.FILE_FAILED, f"{arguments.dask}: {error}") from error
        with client, parallel_config("dask"):
            yield
    elif arguments.backend:
        try:
            chosen = parallel_config(arguments.backend)
        except ValueError as error:
            raise CommandError(ExitCode.USAGE, f"--backend: {error}") from error
        with chosen:
            yield
    else:
        yield


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """End as with Ctrl-C when a cluster, or a system that goes down, asks for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Progress:
    """A bar on standard error, and a line for each file that failed."""

    def __init__(self, arguments: argparse.Namespace, selection: Selection) -> None:
        from tqdm import tqdm

        shown = arguments.progress
        if shown is None:
            shown = sys.stderr.isatty()
        total = None
        if shown:  # a listing more, so that the time that is left can be told
            source, _ = trees(arguments.source, arguments.target, arguments.follow_links)
            total = sum(1 for found in find(source, selection) if not isinstance(found, Record))
        self._bar: Any = tqdm(total=total, unit=" files", disable=not shown, file=sys.stderr)
        self._summary = Summary()

    def tell(self, record: Record, before: bool) -> None:
        """Take note of what became of a file."""
        if not before:
            self._summary.add(record)
        if record.status == "failed":
            with self._bar.external_write_mode(sys.stderr):
                say(f"{record.source}: {record.error}")
        self._bar.set_postfix_str(_size(self._summary), refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
