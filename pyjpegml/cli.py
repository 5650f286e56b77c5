"""The command line: the arguments of ``pyjpegml``, and what becomes of its errors.

The commands themselves are in :mod:`pyjpegml.commands`. What can go wrong in them is raised, and
becomes one line on standard error in :func:`main` alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from . import __version__, argument_types, commands, difftest, files
from ._jit import CompileWatch, cache_root
from .console import EXIT_CODES, CommandError, ExitCode, say

#: As :data:`pyjpegml.transforms.TURNS`, and what makes a picture upright.
TURNS = (
    "rotate90", "rotate180", "rotate270", "flip-horizontal", "flip-vertical", "transpose",
    "transverse", "orient", "none",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``pyjpegml`` with the given arguments (those of the process by default).

    Returns
    -------
    int
        An :class:`ExitCode`.
    """
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said what there is to say
        return int(stop.code or 0)
    try:
        with warnings.catch_warnings(), CompileWatch(_announce):
            warnings.showwarning = lambda message, *_: say(f"warning: {message}")
            code: ExitCode = arguments.run(arguments)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if arguments.debug:
            raise
        return _explain(error)
    return code


def _explain(error: BaseException) -> ExitCode:
    """One line on standard error about what was raised, and its exit code."""
    match error:
        case CommandError():
            say(str(error))
            return error.code
        case files.FileError():
            say(str(error))
            return ExitCode.FILE_FAILED
        case OSError():  # of standard output, or of a file that Numba keeps
            if not isinstance(error, BrokenPipeError):
                say(f"{error.filename or files.STDOUT}: {error.strerror}")
            with suppress(OSError):  # what is still buffered must not fail again at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.FILE_FAILED
        case MemoryError():
            say(f"not enough memory: {error}")
            return ExitCode.FILE_FAILED
        case KeyboardInterrupt():
            say("interrupted")
            return ExitCode.INTERRUPTED
        case _:
            say(
                f"internal error: {type(error).__name__}: {error}; "
                "please report it with what --debug prints"
            )
            return ExitCode.INTERNAL


def _announce() -> None:
    say(f"compiling kernels, once for this machine (kept in {cache_root()})")


# --- arguments -----------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line and without abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options
        )

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("pyjpegml").strip()
        say(f"{f'{command}: ' if command else ''}{message} (see {self.prog} --help)")
        self.exit(ExitCode.USAGE)


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``pyjpegml``; each command's function is the default of ``run``."""
    parser = _Parser(
        prog="pyjpegml",
        description="JPEG, as small as a guaranteed MS-SSIM allows.",
        epilog="A file named - is standard input or standard output. An output replaces an "
        "existing file\nat once and whole, or not at all.\n\nexit codes:\n"
        + "\n".join(f"  {code:3}  {meaning}" for code, meaning in EXIT_CODES.items()),
    )
    parser.add_argument("--version", action="version", version=f"pyjpegml {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)

    def add(run: Callable[[argparse.Namespace], ExitCode], about: str, detail: str) -> _Parser:
        name = run.__name__.removeprefix("run_")
        command = subparsers.add_parser(name, help=about, description=detail)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        command.set_defaults(run=run)
        return command

    def add_json(command: _Parser) -> None:
        command.add_argument("--json", action="store_true", help="report as JSON")

    def add_orientation(command: _Parser) -> None:
        command.add_argument(
            "--ignore-orientation",
            action="store_true",
            help="take pixels as they are stored, although Exif says that the picture lies turned",
        )

    def add_background(command: _Parser) -> None:
        command.add_argument(
            "--background",
            type=argument_types.color,
            metavar="COLOUR",
            help="what is seen through an image with alpha: white, black or #rrggbb",
        )

    def add_metadata(command: _Parser) -> None:
        command.add_argument(
            "--metadata",
            choices=("keep", "strip"),
            default="keep",
            help="carry Exif data, ICC profile, XMP and comments over, or only what decides how "
            "the picture looks: profile, orientation, density (default: %(default)s)",
        )

    def add_others(command: _Parser) -> None:
        command.add_argument(
            "--others",
            choices=("keep", "drop"),
            help="other images that a JPEG has behind its first one (MPO, Ultra HDR), and what "
            "else follows it: as they are, or left out (default: kept, if all metadata are)",
        )

    def add_search(command: _Parser) -> None:
        command.add_argument(
            "--ms-ssim",
            type=argument_types.target,
            metavar="X",
            help="MS-SSIM to meet, above 0 and at most 1 (default: 0.99, or what --max-bytes "
            "allows)",
        )
        command.add_argument(
            "--effort",
            choices=("fast", "normal", "best"),
            default="normal",
            help="how much work may be done for a smaller file (default: %(default)s)",
        )
        command.add_argument(
            "--progressive",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="files may be progressive, which is smaller but for tiny pictures; some simple "
            "decoders want sequential ones",
        )
        command.add_argument(
            "--max-bytes",
            type=argument_types.whole_number("a number of bytes", 1, 2**63 - 1),
            metavar="N",
            help="the most that the file may have; then the best file that fits is written",
        )

    image = "image of any format that Pillow reads: grey, RGB or CMYK, of up to 16 bits"

    command = add(
        commands.run_compress,
        "the smallest JPEG that meets an MS-SSIM",
        "Write the smallest JPEG that meets an MS-SSIM, checked on the very bytes written.",
    )
    command.add_argument("input", metavar="IN", nargs="+", help=f"{image}; patterns such as *.png")
    command.add_argument(
        "output", metavar="OUT", help="JPEG to write, or the folder for those of several files"
    )
    add_search(command)
    command.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="say on standard error how the file was found",
    )
    command.add_argument(
        "--against-libjpeg",
        action="store_true",
        help="say what is saved against libjpeg's tables at the same target",
    )
    add_background(command)
    add_metadata(command)
    add_others(command)
    add_json(command)

    command = add(
        commands.run_batch,
        "all pictures of a tree, compressed into another one",
        "Compress all pictures of a tree into another one of the same structure. It may be "
        "interrupted at any\nmoment; the same command then goes on, and does nothing twice.",
    )
    command.add_argument(
        "source", metavar="SRC", help="folder or URL, such as s3://bucket/photos or zip://::a.zip"
    )
    command.add_argument("target", metavar="DST", help="folder or URL of what is made")
    add_search(command)
    for option, what in (("--include", "only"), ("--exclude", "no")):
        command.add_argument(
            option,
            action="append",
            metavar="PATTERN",
            help=f"{what} files of such names, or paths if there is a / in it; may be repeated",
        )
    command.add_argument(
        "--jobs",
        type=argument_types.processes,
        default=-1,
        metavar="N",
        help="files at a time, each on one core (default: one a core)",
    )
    machines = command.add_mutually_exclusive_group()
    machines.add_argument(
        "--dask", metavar="URL", help="let a Dask cluster work, such as tcp://host:8786"
    )
    machines.add_argument(
        "--backend", metavar="NAME", help="another backend of joblib, such as threading"
    )
    command.add_argument(
        "--shard",
        type=argument_types.shard,
        default=(0, 1),
        metavar="I/N",
        help="only part I, from 0, of N, which a hash of the path decides",
    )
    command.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="pass over what DST's own journal says is done",
    )
    command.add_argument(
        "--verify", action="store_true", help="read what is done, and believe only its SHA-256"
    )
    command.add_argument(
        "--preserve", action="store_true", help="take over modification times and permissions"
    )
    command.add_argument(
        "--follow-links", action="store_true", help="enter symbolic links to folders"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="only list what would be done, and write nothing"
    )
    command.add_argument(
        "--report", metavar="FILE", help="a row for each picture, as .csv or .json"
    )
    command.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show how far it is (default: on a terminal)",
    )
    add_background(command)
    add_metadata(command)
    add_others(command)
    add_json(command)

    command = add(
        commands.run_encode,
        "a JPEG of a given quality",
        "Write a JPEG of a given quality, or with given quantization tables, or without any loss: "
        "a baseline one, unless an option asks for what that cannot hold.",
    )
    command.add_argument("input", metavar="IN", help=image)
    command.add_argument("output", metavar="OUT", help="JPEG to write")
    tables = command.add_mutually_exclusive_group()
    tables.add_argument(
        "--quality",
        type=argument_types.qualities,
        metavar="N[,N...]",
        help="IJG quality, 1 to 100 (default: 75); or one for luma and one for chroma, or one for "
        "each component",
    )
    tables.add_argument(
        "--qtables",
        metavar="FILE",
        help="a JPEG whose quantization tables are kept, or tables in natural order: a .npy file, "
        "or a JSON list, of 8x8 steps, or of two such tables, for luma and chroma, or of one for "
        "each component",
    )
    tables.add_argument(
        "--lossless", action="store_true", help="keep every sample (SOF3, which few programs open)"
    )
    command.add_argument(
        "--predictor",
        type=argument_types.whole_number("a predictor", 1, 7),
        metavar="N",
        help="of --lossless, 1 to 7 (default: the one that makes the file smallest)",
    )
    command.add_argument(
        "--point-transform",
        type=argument_types.whole_number("a point transform", 0, 15),
        default=0,
        metavar="N",
        help="low bits that --lossless drops (default: 0)",
    )
    command.add_argument(
        "--stored-as",
        choices=("YCbCr", "RGB", "grey", "YCCK"),
        help="what the components of the file are (default: YCbCr, grey or CMYK; RGB with "
        "--lossless)",
    )
    command.add_argument(
        "--subsampling",
        type=argument_types.subsampling,
        metavar="NAME",
        help=f"resolution of the colour: {', '.join(argument_types.SUBSAMPLINGS)}, or factors of "
        "each component such as 2x1,1x1,1x1 (default: 4:2:0; 4:4:4 without chroma)",
    )
    command.add_argument(
        "--precision",
        type=argument_types.whole_number("a number of bits", 2, 16),
        metavar="N",
        help="bits of a sample, to which those of IN are scaled: 8 or 12, or 2 to 16 with "
        "--lossless (default: 8; as many as IN has with --lossless)",
    )
    command.add_argument(
        "--no-optimize",
        dest="optimize",
        action="store_false",
        help="use the standard's Huffman tables instead of the image's own",
    )
    scans = command.add_mutually_exclusive_group()
    scans.add_argument(
        "--scans",
        choices=(*commands.SCANS, commands.SEPARATE),
        help="in which order the coefficients are sent: search tries many progressive orders, and "
        "takes longer; separate is sequential, with luma or each component in a scan of its own "
        "where that is smaller (default: sequential)",
    )
    scans.add_argument(
        "--script",
        metavar="FILE",
        help="progressive scans of your own, as cjpeg reads them, such as '0,1,2: 0-0, 0, 1;': "
        "components, first and last coefficient, Ah, Al",
    )
    restarts = command.add_mutually_exclusive_group()
    restarts.add_argument(
        "--restart-interval",
        type=argument_types.whole_number("a restart interval", 0, 65535),
        default=0,
        metavar="N",
        help="MCUs between restart markers (default: 0, none)",
    )
    restarts.add_argument(
        "--restart-rows",
        type=argument_types.whole_number("a number of rows", 0, 65535),
        default=0,
        metavar="N",
        help="rows of MCUs between restart markers (default: 0, none)",
    )
    add_background(command)
    add_metadata(command)
    add_json(command)

    def add_rewriting(command: _Parser, restarts: str) -> None:
        command.add_argument("input", metavar="IN", help="JPEG to read")
        command.add_argument("output", metavar="OUT", help="JPEG to write")
        command.add_argument(
            "--restart-interval",
            type=argument_types.whole_number("a restart interval", 0, 65535),
            metavar="N",
            help=f"MCUs between restart markers, 0 for none (default: {restarts})",
        )
        command.add_argument(
            "--metadata",
            choices=("keep", "strip"),
            default="keep",
            help="all of them, or only what decides how the picture looks: density, profile, "
            "orientation (default: %(default)s)",
        )
        add_others(command)
        add_json(command)

    command = add(
        commands.run_recode,
        "a JPEG made smaller, without any loss",
        "Write a JPEG with the same coefficients in fewer bytes, or as it is if that fails.",
    )
    add_rewriting(command, "none; those of IN stay where nothing is saved")
    command.add_argument(
        "--scans",
        choices=("progressive", "sequential", "search"),
        default="progressive",
        help="in which order the coefficients are sent; search tries many orders, and takes longer "
        "(default: %(default)s)",
    )

    command = add(
        commands.run_transform,
        "a JPEG turned, cropped or made grey, without any loss",
        "Turn, mirror or crop a JPEG, or take its luma, without decoding it.",
    )
    command.add_argument(
        "op",
        metavar="OP",
        choices=TURNS,
        help="turn of the stored picture, angles clockwise: %(choices)s; orient makes it upright "
        "as its Exif data say, and none leaves it as it is",
    )
    add_rewriting(command, "0")
    command.add_argument(
        "--edges",
        choices=("refuse", "trim", "leave"),
        default="refuse",
        help="what is done about the rest of an incomplete block at an edge that is mirrored: an "
        "error, cut off, or left at its edge (default: %(default)s)",
    )
    command.add_argument(
        "--region",
        type=argument_types.region,
        metavar="X,Y,WIDTH,HEIGHT",
        help="part of the turned picture to keep, in pixels; X and Y at the corner of a block",
    )
    command.add_argument("--grey", action="store_true", help="keep the luma only")
    command.add_argument(
        "--scans",
        choices=("progressive", "sequential", "search"),
        help="in which order the coefficients are sent (default: progressive if IN is)",
    )

    command = add(
        commands.run_decode,
        "a JPEG's pixels, in another format",
        "Decode a JPEG, and write its pixels in the format that OUT's extension names.",
    )
    command.add_argument("input", metavar="IN", help="JPEG to read")
    command.add_argument("output", metavar="OUT", help="image to write, such as OUT.png")
    command.add_argument(
        "--format", metavar="NAME", help="format to write, such as png, whatever OUT is called"
    )
    add_orientation(command)

    command = add(
        commands.run_inspect,
        "what a JPEG says about itself",
        "Show the header, the tables and the markers of a JPEG of any kind, and whether its\n"
        "data are sound: what is wrong with them, at which byte, and how many MCUs are sound.",
    )
    command.add_argument("input", metavar="FILE", help="JPEG to read")
    command.add_argument(
        "--html",
        metavar="PAGE",
        help="write an HTML page instead, on which the file can be explored block by block",
    )
    add_json(command)

    command = add(
        commands.run_walkthrough,
        "a page that shows a JPEG being made",
        "Write one HTML page, which needs nothing else: a photograph as JPEGs of several qualities "
        "and MS-SSIM\ntargets; of each block its samples, DCT, levels, codes and the very bits in "
        "the file; maps, tables, and\nevery segment.",
    )
    command.add_argument("input", metavar="PHOTO", help=image)
    command.add_argument("-o", "--output", metavar="PAGE", required=True, help="page to write")
    add_background(command)

    command = add(
        commands.run_compare,
        "MS-SSIM and PSNR of two images",
        "Compare two images of equal size: MS-SSIM, PSNR, bytes.",
    )
    command.add_argument("first", metavar="A", help=f"original: {image}")
    command.add_argument("second", metavar="B", help="image to compare with it")
    add_background(command)
    add_json(command)

    command = add(
        commands.run_warmup,
        "compile everything ahead",
        "Compile all kernels now, so that no later call must.",
    )
    command.add_argument(
        "--processes",
        type=argument_types.processes,
        metavar="N",
        help="how many at a time (default: one a core)",
    )
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--where", action="store_true", help="list what is kept, and its size")
    choice.add_argument("--clean", action="store_true", help="remove what is kept")

    command = add(
        commands.run_train,
        "a predictor of one's own photographs",
        "Search for the best plans of photographs, and learn from them. What is found is kept in "
        "RECORDS, and an\ninterrupted search goes on from there. The environment variable "
        "PYJPEGML_MODEL makes compress use OUT.",
    )
    command.add_argument("folder", metavar="DIR", help="photographs, at least 5, better a hundred")
    command.add_argument(
        "--output", metavar="OUT", default="model.npz", help="model to write (default: %(default)s)"
    )
    command.add_argument(
        "--records", metavar="RECORDS", help="plans found so far (default: OUT.jsonl)"
    )
    command.add_argument(
        "--processes",
        type=argument_types.processes,
        default=1,
        metavar="N",
        help="how many at a time",
    )
    command.add_argument(
        "--minutes",
        type=argument_types.whole_number("a number of minutes", 0, 10**6),
        default=10**6,
        metavar="N",
        help="of processor time for the search (default: until all is found)",
    )
    add_json(command)

    command = add(
        difftest.run_difftest,
        "decoders side by side on generated files",
        "Show generated files to pyjpegml and to other decoders, each in a process of its own, and "
        "report\nwhere they differ, what they refuse, and whether one crashes or hangs.",
    )
    difftest.add_arguments(command)
    add_json(command)
    return parser
