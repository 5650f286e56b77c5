"""The command line: ``pyjpegml`` and its commands.

Every command is a function that takes the parsed arguments and returns an exit code. What can go
wrong is raised, and becomes one line on standard error in :func:`main` alone. Reports go to
standard output, or to standard error if the picture itself goes to standard output.

The library is imported inside the commands, so that ``--help`` needs neither NumPy nor Numba.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from . import __version__, files
from ._jit import CompileWatch, cache_directories, cache_root, jit_disabled
from .errors import JpegError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .pictures import Picture, Samples

#: As :data:`pyjpegml.header.SUBSAMPLINGS`, whose import would take NumPy's time.
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0")


#: As :data:`pyjpegml.transforms.TURNS`, and what makes a picture upright.
TURNS = (
    "rotate90", "rotate180", "rotate270", "flip-horizontal", "flip-vertical", "transpose",
    "transverse", "orient", "none",
)  # fmt: skip

#: What the arguments of ``--scans`` mean to the library.
SCANS: dict[str, bool | str] = {"progressive": True, "sequential": False, "search": "search"}


class ExitCode(IntEnum):
    """What ``pyjpegml`` returns to the shell."""

    DONE = 0
    TARGET_NOT_MET = 1
    USAGE = 2
    BAD_JPEG = 3
    FILE_FAILED = 4
    INTERNAL = 70
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.TARGET_NOT_MET: "compress: the target was not met; the best file was written",
    ExitCode.USAGE: "wrong usage or argument",
    ExitCode.BAD_JPEG: "a JPEG is broken, or uses what this version cannot decode",
    ExitCode.FILE_FAILED: "a file cannot be read or written, or holds no picture for a JPEG",
    ExitCode.INTERNAL: "a fault in pyjpegml itself",
    ExitCode.INTERRUPTED: "interrupted",
}


class CommandError(Exception):
    """A command cannot go on: an exit code, and one line that says why."""

    def __init__(self, code: ExitCode, message: str) -> None:
        self.code = code
        super().__init__(message)


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
            warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
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
            _say(str(error))
            return error.code
        case files.FileError():
            _say(str(error))
            return ExitCode.FILE_FAILED
        case OSError():  # of standard output, or of a file that Numba keeps
            if not isinstance(error, BrokenPipeError):
                _say(f"{error.filename or files.STDOUT}: {error.strerror}")
            with suppress(OSError):  # what is still buffered must not fail again at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.FILE_FAILED
        case MemoryError():
            _say(f"not enough memory: {error}")
            return ExitCode.FILE_FAILED
        case KeyboardInterrupt():
            _say("interrupted")
            return ExitCode.INTERRUPTED
        case _:
            _say(
                f"internal error: {type(error).__name__}: {error}; "
                "please report it with what --debug prints"
            )
            return ExitCode.INTERNAL


def _announce() -> None:
    _say(f"compiling kernels, once for this machine (kept in {cache_root()})")


def _say(message: str) -> None:
    """One line on standard error."""
    _print(f"pyjpegml: {' '.join(message.split())}", sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    """Lines of text; what a terminal would obey, or the stream cannot encode, is escaped."""
    lines = (
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in text.split("\n")
    )
    encoding = stream.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _report(arguments: argparse.Namespace, facts: dict[str, Any], text: str) -> None:
    """Facts as JSON or as text, on standard output unless the picture goes there."""
    to_stdout = getattr(arguments, "output", None) == files.DASH
    as_json = getattr(arguments, "json", False)
    _print(
        json.dumps(facts, indent=2) if as_json else text, sys.stderr if to_stdout else sys.stdout
    )


# --- arguments -----------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line and without abbreviations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options
        )

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("pyjpegml").strip()
        _say(f"{f'{command}: ' if command else ''}{message} (see {self.prog} --help)")
        self.exit(ExitCode.USAGE)


def _target(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"an MS-SSIM is above 0 and at most 1, not {text!r}")


def _whole_number(what: str, low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        with suppress(ValueError):
            if low <= int(text) <= high:
                return int(text)
        raise argparse.ArgumentTypeError(
            f"{what} is a whole number from {low} to {high}, not {text!r}"
        )

    return parse


def _color(text: str) -> tuple[int, int, int]:
    """A colour, as an argument."""
    text = {"white": "#ffffff", "black": "#000000"}.get(text.lower(), text)
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise argparse.ArgumentTypeError(f"a colour is white, black or #rrggbb, not {text!r}")
    r, g, b = bytes.fromhex(text[1:])
    return r, g, b


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
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)

    def add(run: Callable[[argparse.Namespace], ExitCode], about: str, detail: str) -> _Parser:
        name = run.__name__.removeprefix("_")
        command = commands.add_parser(name, help=about, description=detail)
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
            type=_color,
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

    image = "image of any format that Pillow reads: grey, RGB or CMYK, of up to 16 bits"

    command = add(
        _compress,
        "the smallest JPEG that meets an MS-SSIM",
        "Write the smallest JPEG that meets an MS-SSIM, checked on the very bytes written.",
    )
    command.add_argument("input", metavar="IN", help=image)
    command.add_argument("output", metavar="OUT", help="JPEG to write")
    command.add_argument(
        "--ms-ssim",
        type=_target,
        default=0.99,
        metavar="X",
        help="MS-SSIM to meet, above 0 and at most 1 (default: %(default)s)",
    )
    command.add_argument(
        "--against-libjpeg",
        action="store_true",
        help="say what is saved against libjpeg's tables at the same target",
    )
    add_background(command)
    add_metadata(command)
    add_json(command)

    command = add(
        _encode,
        "a JPEG of a given quality",
        "Write a JPEG of a given quality, or with given quantization tables, or without any loss: "
        "a baseline one, unless an option asks for what that cannot hold.",
    )
    command.add_argument("input", metavar="IN", help=image)
    command.add_argument("output", metavar="OUT", help="JPEG to write")
    tables = command.add_mutually_exclusive_group()
    tables.add_argument(
        "--quality",
        type=_qualities,
        metavar="N[,N...]",
        help="IJG quality, 1 to 100 (default: 75); or one for luma and one for chroma, or one for "
        "each component",
    )
    tables.add_argument(
        "--qtables",
        metavar="FILE",
        help="a JPEG whose quantization tables are kept, or tables in natural order: a .npy file, "
        "or a JSON list, of 8x8 steps or of 1 to 3 such tables for Y, Cb and Cr",
    )
    tables.add_argument(
        "--lossless", action="store_true", help="keep every sample (SOF3, which few programs open)"
    )
    command.add_argument(
        "--predictor",
        type=_whole_number("a predictor", 1, 7),
        metavar="N",
        help="of --lossless, 1 to 7 (default: the one that makes the file smallest)",
    )
    command.add_argument(
        "--point-transform",
        type=_whole_number("a point transform", 0, 7),
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
        type=_subsampling,
        metavar="NAME",
        help=f"resolution of the colour: {', '.join(SUBSAMPLINGS)}, or factors of each component "
        "such as 2x1,1x1,1x1 (default: 4:2:0; 4:4:4 without chroma)",
    )
    command.add_argument(
        "--precision",
        type=_whole_number("a number of bits", 2, 16),
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
    command.add_argument(
        "--scans",
        choices=tuple(SCANS),
        default="sequential",
        help="in which order the coefficients are sent; search tries many orders, and takes longer "
        "(default: %(default)s)",
    )
    restarts = command.add_mutually_exclusive_group()
    restarts.add_argument(
        "--restart-interval",
        type=_whole_number("a restart interval", 0, 65535),
        default=0,
        metavar="N",
        help="MCUs between restart markers (default: 0, none)",
    )
    restarts.add_argument(
        "--restart-rows",
        type=_whole_number("a number of rows", 0, 65535),
        default=0,
        metavar="N",
        help="rows of MCUs between restart markers (default: 0, none)",
    )
    add_background(command)
    add_metadata(command)
    add_json(command)

    def add_rewriting(command: _Parser) -> None:
        command.add_argument("input", metavar="IN", help="JPEG to read")
        command.add_argument("output", metavar="OUT", help="JPEG to write")
        command.add_argument(
            "--restart-interval",
            type=_whole_number("a restart interval", 0, 65535),
            default=0,
            metavar="N",
            help="MCUs between restart markers (default: 0, none)",
        )
        command.add_argument(
            "--metadata",
            choices=("keep", "strip"),
            default="keep",
            help="all of them and what follows the image, or only what decides how the picture "
            "looks: density, profile, orientation (default: %(default)s)",
        )
        add_json(command)

    command = add(
        _recode,
        "a JPEG made smaller, without any loss",
        "Write a JPEG with the same coefficients in fewer bytes, or as it is if that fails.",
    )
    add_rewriting(command)
    command.add_argument(
        "--scans",
        choices=("progressive", "sequential", "search"),
        default="progressive",
        help="in which order the coefficients are sent; search tries many orders, and takes longer "
        "(default: %(default)s)",
    )

    command = add(
        _transform,
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
    add_rewriting(command)
    command.add_argument(
        "--edges",
        choices=("refuse", "trim", "leave"),
        default="refuse",
        help="what is done about the rest of an incomplete block at an edge that is mirrored: an "
        "error, cut off, or left at its edge (default: %(default)s)",
    )
    command.add_argument(
        "--region",
        type=_region,
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
        _decode,
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
        _inspect,
        "what a JPEG says about itself",
        "Show the header, the tables and the markers of a JPEG of any kind, and whether its\n"
        "data are sound: what is wrong with them, at which byte, and how many MCUs are sound.",
    )
    command.add_argument("input", metavar="FILE", help="JPEG to read")
    add_json(command)

    command = add(
        _compare,
        "MS-SSIM and PSNR of two images",
        "Compare two images of equal size: MS-SSIM, PSNR, bytes.",
    )
    command.add_argument("first", metavar="A", help=f"original: {image}")
    command.add_argument("second", metavar="B", help="image to compare with it")
    add_background(command)
    add_json(command)

    command = add(
        _warmup,
        "compile everything ahead",
        "Compile all kernels now, so that no later call must.",
    )
    command.add_argument(
        "--processes", type=_processes, metavar="N", help="how many at a time (default: one a core)"
    )
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--where", action="store_true", help="list what is kept, and its size")
    choice.add_argument("--clean", action="store_true", help="remove what is kept")
    return parser


def _region(text: str) -> tuple[int, int, int, int]:
    """A part of a picture, as an argument."""
    if not re.fullmatch(r"\d{1,5}(,\d{1,5}){3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"a region is X,Y,WIDTH,HEIGHT in whole pixels, not {text!r}"
        )
    x, y, width, height = (int(number) for number in text.split(","))
    return x, y, width, height


def _qualities(text: str) -> int | tuple[int, ...]:
    """One quality or several, as an argument."""
    found = tuple(_whole_number("a quality", 1, 100)(part) for part in text.split(","))
    return found if len(found) > 1 else found[0]


def _subsampling(text: str) -> str:
    """A name, or factors of each component, as an argument."""
    if text in SUBSAMPLINGS or re.fullmatch(r"[1-4]x[1-4](,[1-4]x[1-4])*", text):
        return text
    raise argparse.ArgumentTypeError(
        f"a subsampling is one of {', '.join(SUBSAMPLINGS)}, or factors such as 2x1,1x1,1x1; "
        f"not {text!r}"
    )


def _processes(text: str) -> int:
    """A number of processes, as an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, 1 or more")
    return int(text)


# --- compress, encode, decode --------------------------------------------------------------------


def _check_output(name: str, inputs: Sequence[str]) -> None:
    try:
        files.check_output(name, inputs)
    except ValueError as error:
        message = f"{files.shown_output(name)}: {error}"
        raise CommandError(ExitCode.USAGE, message) from error


@contextmanager
def _jpeg_errors_of(name: str) -> Iterator[None]:
    """Turn errors about JPEG data into those of a command, with the file's name."""
    try:
        yield
    except JpegError as error:
        message = f"{files.shown_input(name)}: {error}"
        raise CommandError(ExitCode.BAD_JPEG, message) from error


def _read_picture(
    name: str, arguments: argparse.Namespace, keep: bool = False
) -> tuple[Picture, bytes]:
    """The picture in a file of any format, with all of its metadata or not; the file's bytes."""
    data = files.read_bytes(name)
    with _jpeg_errors_of(name):
        shown = files.shown_input(name)
        return files.read_picture(shown, data, arguments.background, keep), data


def _read_input(arguments: argparse.Namespace) -> tuple[Picture, bytes]:
    """The picture that is to become a JPEG, and the file's bytes."""
    picture, data = _read_picture(arguments.input, arguments, arguments.metadata == "keep")
    for lost in picture.lost:
        _say(f"{files.shown_input(arguments.input)}: warning: not carried over: {lost}")
    return picture, data


def _refuse_inks(name: str, picture: Picture, done: str) -> None:
    """Refuse CMYK, which has no score."""
    if picture.color == "CMYK":
        message = f"{files.shown_input(name)}: its colours are CMYK, which cannot be {done}"
        raise CommandError(ExitCode.FILE_FAILED, message)


def _size_facts(data: bytes, pixels: Samples) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    bits_per_pixel = 8 * len(data) / (width * height)
    return {"width": width, "height": height, "bytes": len(data), "bits_per_pixel": bits_per_pixel}


def _compress(arguments: argparse.Namespace) -> ExitCode:
    _check_output(arguments.output, [arguments.input])
    picture, given = _read_input(arguments)
    _refuse_inks(arguments.input, picture, "compressed: encode takes it")
    pixels = picture.scaled()

    from .inspection import columns
    from .metadata import with_metadata
    from .rate import annex_k_baseline, compress

    target = arguments.ms_ssim
    recompressed = files.is_jpeg(given) and picture.maximum == 255 and not picture.lost
    result = compress(
        given if recompressed else pixels,
        ms_ssim=target,
        metadata=arguments.metadata if recompressed else picture.metadata,
        threads=None,
    )
    files.write_bytes(arguments.output, result.data)
    facts = _size_facts(result.data, pixels) | {
        "ms_ssim": result.ms_ssim,
        "target": target,
        "met": result.met,
        "encodes": result.encodes,
        "subsampling": result.subsampling,
    }
    rows: list[tuple[str, object]] = [
        ("bytes", facts["bytes"]),
        ("bits per pixel", f"{facts['bits_per_pixel']:.4f}"),
        ("MS-SSIM", f"{result.ms_ssim:.6f} (target {target:g})"),
        ("encodes", result.encodes),
        ("subsampling", result.subsampling),
    ]
    if arguments.against_libjpeg:
        other = annex_k_baseline(pixels, min(target, result.ms_ssim))
        size = len(with_metadata(other.data, picture.metadata))
        saved = 100 * (1 - len(result.data) / size) if other.met else None
        facts["libjpeg"] = {
            "bytes": size,
            "ms_ssim": other.ms_ssim,
            "met": other.met,
            "saved_percent": saved,
        }
        rows.append(("libjpeg's tables", f"{size} bytes, MS-SSIM {other.ms_ssim:.6f}"))
        reason = "cannot be said: libjpeg's tables do not reach this score"
        rows.append(("saved", reason if saved is None else f"{saved:.1f} %"))
    _report(arguments, facts, columns(rows))
    if result.met:
        return ExitCode.DONE
    _say(
        f"{files.shown_output(arguments.output)}: the target {target:g} was not met; "
        f"the best file, at {result.ms_ssim:.6f}, was written"
    )
    return ExitCode.TARGET_NOT_MET


def _encode(arguments: argparse.Namespace) -> ExitCode:
    tables = arguments.qtables
    _check_output(
        arguments.output, [arguments.input] if tables is None else [arguments.input, tables]
    )
    picture, _ = _read_input(arguments)
    bits = arguments.precision or (picture.maximum.bit_length() if arguments.lossless else 8)
    pixels = picture.scaled(bits)

    from .encoder import encode
    from .metadata import with_metadata

    usual = {"grey": "grey", "RGB": "YCbCr", "CMYK": "CMYK"}
    stored = arguments.stored_as or usual[picture.color]
    try:
        data = encode(
            pixels,
            color=picture.color,
            stored_as=arguments.stored_as,
            quality=arguments.quality,
            qtables=None if tables is None else _read_qtables(tables, stored),
            subsampling=arguments.subsampling,
            precision=bits,
            lossless=arguments.lossless,
            predictor=arguments.predictor,
            point_transform=arguments.point_transform,
            progressive=SCANS[arguments.scans],
            optimize=arguments.optimize,
            restart_interval=arguments.restart_interval,
            restart_rows=arguments.restart_rows,
            threads=None,
        )
    except ValueError as error:  # options that do not go together, or with this picture
        message = f"{files.shown_input(arguments.input)}: {error}"
        raise CommandError(ExitCode.USAGE, message) from error
    data = with_metadata(data, picture.metadata)
    files.write_bytes(arguments.output, data)
    facts = _size_facts(data, pixels)
    text = f"{facts['bytes']} bytes, {facts['bits_per_pixel']:.4f} bits per pixel"
    _report(arguments, facts, text)
    return ExitCode.DONE


def _read_qtables(name: str, stored: str) -> npt.NDArray[np.uint16]:
    """Quantization tables, (components, 8, 8), from a JPEG, a .npy or a JSON file.

    Parameters
    ----------
    name : str
    stored : str
        What the components are that they are for.
    """
    from io import BytesIO

    import numpy as np

    from .arguments import check_qtables
    from .header import read_header

    data = files.read_bytes(name)
    try:
        if files.is_jpeg(data):
            with _jpeg_errors_of(name):
                return np.stack(check_qtables(read_header(data), stored))
        if data.startswith(b"\x93NUMPY"):
            tables = np.load(BytesIO(data), allow_pickle=False)
        else:
            tables = np.array(json.loads(data))
        return np.stack(check_qtables(tables, stored))
    except (ValueError, TypeError) as error:
        message = f"{files.shown_input(name)}: these are no quantization tables: {error}"
        raise CommandError(ExitCode.USAGE, message) from error


def _decode(arguments: argparse.Namespace) -> ExitCode:
    name = files.shown_output(arguments.output)
    _check_output(arguments.output, [arguments.input])
    suffix = f".{arguments.format}" if arguments.format else Path(arguments.output).suffix
    if not suffix:
        message = f"{name}: no extension says which format to write: pass --format png"
        raise CommandError(ExitCode.USAGE, message)
    if suffix.lower() in files.JPEG_SUFFIXES:
        raise CommandError(
            ExitCode.USAGE,
            f"{name}: decode writes pixels in other formats, such as .png; "
            "encode and compress write JPEGs",
        )
    data = files.read_bytes(arguments.input)
    shown = files.shown_input(arguments.input)
    with _jpeg_errors_of(arguments.input):
        picture = files.read_jpeg(shown, data)

    from .pictures import picture_bytes

    turned = picture.metadata.orientation
    if turned != 1 and not arguments.ignore_orientation:
        raise CommandError(
            ExitCode.FILE_FAILED,
            f"{shown}: its Exif orientation is {turned}, which is not carried over: the picture "
            "would lie turned. Turn its pixels first (pyjpegml transform), or pass "
            "--ignore-orientation to take them as they are stored",
        )
    if picture.metadata.icc is not None:
        _say(f"{shown}: warning: its ICC profile is dropped; colours are taken for sRGB")
    files.write_bytes(arguments.output, picture_bytes(name, picture.samples, suffix))
    return ExitCode.DONE


# --- recode, transform ----------------------------------------------------------------------------


def _recode(arguments: argparse.Namespace) -> ExitCode:
    from .rewriting import recode

    return _rewrite(arguments, recode, progressive=SCANS[arguments.scans])


def _transform(arguments: argparse.Namespace) -> ExitCode:
    from .transforms import transform

    return _rewrite(
        arguments, transform, op=arguments.op, edges=arguments.edges, region=arguments.region,
        grey=arguments.grey, progressive=SCANS.get(arguments.scans),
    )  # fmt: skip


def _rewrite(
    arguments: argparse.Namespace, function: Callable[..., bytes], **options: Any
) -> ExitCode:
    """Write what a function makes of a JPEG, and say what became of its size."""
    _check_output(arguments.output, [arguments.input])
    data = files.read_bytes(arguments.input)
    name = files.shown_input(arguments.input)
    try:
        with _jpeg_errors_of(arguments.input):
            made = function(
                data, restart_interval=arguments.restart_interval, metadata=arguments.metadata,
                **options,
            )  # fmt: skip
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"{name}: {error}") from error
    files.write_bytes(arguments.output, made)
    percent = 100 * (len(made) / len(data) - 1)
    facts = {"bytes_before": len(data), "bytes": len(made)}
    _report(arguments, facts, f"{len(data)} bytes became {len(made)}, {percent:+.1f} %")
    return ExitCode.DONE


# --- inspect -------------------------------------------------------------------------------------


def _inspect(arguments: argparse.Namespace) -> ExitCode:
    from . import inspection

    name, data = files.shown_input(arguments.input), files.read_bytes(arguments.input)
    facts = inspection.facts(data)
    _report(arguments, facts, inspection.text(facts))
    if facts["error"]:
        raise CommandError(ExitCode.BAD_JPEG, f"{name}: {facts['error']}")
    return ExitCode.DONE


# --- compare, warmup -----------------------------------------------------------------------------


def _compare(arguments: argparse.Namespace) -> ExitCode:
    names = arguments.first, arguments.second
    if names == (files.DASH, files.DASH):
        raise CommandError(ExitCode.USAGE, "only one of the two images can be standard input")
    (first, a_data), (second, b_data) = (_read_picture(name, arguments) for name in names)
    for name, picture in zip(names, (first, second), strict=True):
        _refuse_inks(name, picture, "compared")
    a, b = first.scaled(), second.scaled()
    if a.shape != b.shape:
        sizes = " and ".join(_dimensions(pixels) for pixels in (a, b))
        message = (
            f"{files.shown_input(names[1])}: only images of the same kind can be compared: {sizes}"
        )
        raise CommandError(ExitCode.USAGE, message)

    from .inspection import columns
    from .metrics import ms_ssim, psnr

    decibels = psnr(a, b)
    facts = {
        "width": a.shape[1],
        "height": a.shape[0],
        "bytes": [len(a_data), len(b_data)],
        "ms_ssim": ms_ssim(a, b),
        "ms_ssim_luma": ms_ssim(a, b, luma_only=True),
        "psnr": decibels if math.isfinite(decibels) else None,
    }
    rows: list[tuple[str, object]] = [
        ("MS-SSIM", f"{facts['ms_ssim']:.6f}"),
        ("MS-SSIM of luma", f"{facts['ms_ssim_luma']:.6f}"),
        (
            "PSNR",
            f"{decibels:.3f} dB" if math.isfinite(decibels) else "infinite: the pixels are equal",
        ),
        ("bytes", f"{len(a_data)} and {len(b_data)}"),
    ]
    _report(arguments, facts, columns(rows))
    return ExitCode.DONE


def _dimensions(pixels: Samples) -> str:
    height, width = pixels.shape[:2]
    return f"{width}x{height} {'grey' if pixels.ndim == 2 else 'RGB'}"


def _warmup(arguments: argparse.Namespace) -> ExitCode:
    if arguments.where or arguments.clean:
        sizes = []
        for directory in cache_directories():
            size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
            sizes.append(f"{size:10d} bytes  {directory}")
            if arguments.clean:
                shutil.rmtree(directory)
        said = "removed" if arguments.clean else "kept"
        _print(
            "\n".join([*sizes, f"{len(sizes)} directories {said} in {cache_root()}"]), sys.stdout
        )
        return ExitCode.DONE

    from .threads import useful_threads
    from .warmup import TASKS, warmup

    done: list[str] = []

    def progress(name: str) -> None:
        done.append(name)
        _say(f"{len(done)} of {len(TASKS)} after {time.perf_counter() - began:.1f} s: {name}")

    began = time.perf_counter()
    warmup(useful_threads(arguments.processes, len(TASKS)), progress)
    seconds = time.perf_counter() - began
    kept = "NUMBA_DISABLE_JIT is set" if jit_disabled() else f"kept in {cache_root()}"
    _report(arguments, {}, f"ready after {seconds:.1f} s ({kept})")
    return ExitCode.DONE
