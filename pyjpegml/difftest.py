"""``pyjpegml difftest``: decoders side by side, from the command line.

The work is done by :mod:`pyjpegml.testing.differential`, which needs Hypothesis; it is imported in
the command, so that the command line needs none.
"""

from __future__ import annotations

import argparse
import time

from .console import CommandError, ExitCode, report, say


def run_difftest(arguments: argparse.Namespace) -> ExitCode:
    """Show generated files to several decoders, and report how they differ."""
    try:
        from .testing import FEATURES, PROCESSES, corrupted, differential, jpeg_streams
        from .testing.guards import DecoderError
        from .testing.report import as_json, as_text, write
        from .testing.sets import examples, export
    except ImportError as error:
        message = f"difftest needs Hypothesis: pip install pyjpegml[testing] ({error})"
        raise CommandError(ExitCode.USAGE, message) from error

    for what, given, known in (
        ("process", arguments.process, PROCESSES), ("feature", arguments.without, FEATURES),
    ):  # fmt: skip
        if wrong := [name for name in given if name not in known]:
            message = f"no such {what}: {wrong[0]!r}; there are {', '.join(known)}"
            raise CommandError(ExitCode.USAGE, message)
    streams = jpeg_streams(
        processes=arguments.process or list(PROCESSES), complete=False, without=arguments.without
    )
    strategy = corrupted(streams) if arguments.damaged else streams
    if arguments.export:
        manifest = export(arguments.export, examples(strategy, arguments.examples, arguments.seed))
        say(f"{arguments.examples} files in {manifest.parent}")
        return ExitCode.DONE

    told = time.monotonic()

    def progress(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"{done} of {arguments.examples}")

    options = differential.Options(
        arguments.within, arguments.seconds, arguments.megabytes, arguments.attempts
    )
    decoders = [arguments.reference, *arguments.decoder]
    try:
        comparison = differential.run(
            strategy, decoders, arguments.examples, arguments.seed, options, progress
        )
    except (ValueError, DecoderError) as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    if arguments.report:
        for path in write(comparison, arguments.report):
            say(f"written: {path}")
    report(arguments, as_json(comparison), as_text(comparison))
    return ExitCode.DONE


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of ``difftest``.

    Parameters
    ----------
    command : ArgumentParser
    """

    def add(name: str, kind: type, default: float, about: str) -> None:
        command.add_argument(
            name, type=kind, default=default, metavar="N", help=f"{about} (default: %(default)s)"
        )

    command.add_argument(
        "--decoder",
        action="append",
        default=[],
        metavar="NAME|COMMAND",
        help="pillow, simplejpeg, opencv, imagecodecs, or a command line with {in} and {out}, such "
        "as 'djpeg {in} > {out}'; may be given several times",
    )
    command.add_argument(
        "--reference",
        default="pyjpegml",
        metavar="NAME|COMMAND",
        help="what the others are compared with (default: %(default)s)",
    )
    add("--examples", int, 1000, "how many files")
    add("--seed", int, 0, "seed of the first file; the others follow")
    add("--within", int, 1, "largest difference of samples that counts as near")
    add("--seconds", float, 10.0, "a decoder that takes longer over a file hangs")
    add("--megabytes", int, 4096, "most address space of a decoder")
    add("--attempts", int, 200, "files tried to make the example of a finding simpler")
    command.add_argument(
        "--damaged", action="store_true", help="damaged files, each with a named fault"
    )
    command.add_argument(
        "--process",
        action="append",
        default=[],
        metavar="NAME",
        help="only files of this coding process (baseline, progressive ...); may be repeated",
    )
    command.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="FEATURE",
        help="no files with this feature (DNL, restarts ...); may be repeated",
    )
    command.add_argument(
        "--report", metavar="DIR", help="write report.html and report.json into a folder"
    )
    command.add_argument(
        "--export",
        metavar="DIR",
        help="decode nothing: write the files, their content and a manifest into a folder",
    )
