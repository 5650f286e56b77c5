"""What a JPEG file is made of, as facts for programs and as text for people.

:func:`facts` gathers what the header, the metadata and the list of segments say, in types that JSON
knows, as far as the file can be read; :func:`text` prints them. The file is decoded as well, to
tell whether its data are sound. The command line's ``inspect``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import files, markers
from .errors import JpegError, JpegFormatError
from .header import Header, read_header
from .huffman import AC
from .markers import Segment


def facts(data: bytes) -> dict[str, Any]:
    """Everything that a file says of itself, up to an error; then ``"error"`` tells of that.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    dict
        Of strings, numbers, lists and dicts, as JSON has them.
    """
    found: dict[str, Any] = {"bytes": len(data), "error": None}
    try:
        found |= _header_facts(read_header(data), data)
    except JpegError as error:  # what stands before it is worth seeing
        found["error"] = str(error)
    if files.is_jpeg(data):
        segments, problem = _segment_facts(data)
        found |= segments
        found["error"] = found["error"] or problem
    if found["error"] is None:
        found["decoding"], found["error"] = _decoding_facts(data, found["warnings"])
    return found


def _decoding_facts(data: bytes, known: Sequence[str]) -> tuple[dict[str, Any], str | None]:
    """What :func:`pyjpegml.decode_partial` reports but for the warnings that are known, and the
    first thing that is wrong.

    What cannot be decoded by this version, or is too large, need not be wrong: then ``"refused"``
    says why, and nothing is known of the data.
    """
    from .decoder import decode_partial

    try:
        _, report = decode_partial(data, threads=None)
    except JpegError as error:
        wrong = str(error) if isinstance(error, JpegFormatError) else None
        return {"refused": str(error)}, wrong
    problems = [
        {"reason": problem.reason, "marker": problem.marker, "offset": problem.offset}
        for problem in report.problems
    ]
    facts = {
        "refused": None,
        "mcus": report.mcus,
        "sound_mcus": report.sound_mcus,
        "problems": problems,
        "warnings": [warning for warning in report.warnings if warning not in known],
    }
    return facts, None if report.complete else str(report.problems[0])


def _header_facts(header: Header, data: bytes) -> dict[str, Any]:
    """What a header and the metadata say, in types that JSON knows."""
    orientation, has_icc_profile = files.jpeg_metadata(data)
    return {
        "width": header.width,
        "height": header.height,
        "process": header.process,
        "precision": header.precision,
        "color": header.color,
        "subsampling": header.subsampling,
        "components": [
            {"identifier": c.identifier, "h": c.h, "v": c.v, "table": c.table}
            for c in header.components
        ],
        "quality": header.quality,
        "quality_exact": header.quality_exact,
        "qtables": {str(slot): table.tolist() for slot, table in sorted(header.qtables.items())},
        "restart_interval": header.restart_interval,
        "jfif": header.jfif,
        "adobe_transform": header.adobe_transform,
        "orientation": orientation,
        "icc_profile": has_icc_profile,
        "comments": [comment.decode("utf-8", "backslashreplace") for comment in header.comments],
        "warnings": list(header.warnings),
    }


def _segment_facts(data: bytes) -> tuple[dict[str, Any], str | None]:
    """Every segment and Huffman table up to the end, or to an error; and that error.

    The ``length`` of a segment is its own (T.81 B.1.1.4), None where there is none; ``coded_bytes``
    lie between a scan header and the next segment.
    """
    segments: list[dict[str, Any]] = []
    tables: list[dict[str, Any]] = []
    problem, end = None, 0
    try:
        for segment in markers.segments(data):
            if segments and segments[-1]["marker"] == "SOS":
                segments[-1]["coded_bytes"] = segment.offset - end
            end = segment.end
            has_length = end > segment.offset + 2
            segments.append(
                {
                    "marker": segment.name,
                    "offset": segment.offset,
                    "length": end - segment.offset - 2 if has_length else None,
                    "identifier": _identifier(segment),
                    "coded_bytes": None,
                }
            )
            if segment.code == markers.DHT:
                for slot, table in sorted(markers.parse_huffman_tables(segment).items()):
                    kind, number = ("DC", slot) if slot < AC else ("AC", slot - AC)
                    tables.append(
                        {
                            "kind": kind,
                            "slot": number,
                            "bits": list(table.bits),
                            "symbols": list(table.symbols),
                        }
                    )
    except JpegError as error:
        problem = str(error)
    complete = bool(segments) and segments[-1]["marker"] == "EOI"
    if not complete and problem is None and segments[-1]["marker"] == "SOS":
        segments[-1]["coded_bytes"] = len(data) - end
    facts = {
        "huffman_tables": tables,
        "segments": segments,
        "ends_with_eoi": complete,
        "bytes_behind_eoi": len(data) - end if complete else 0,
    }
    return facts, problem


def _identifier(segment: Segment) -> str | None:
    """The name by which an APPn segment says whose it is, such as ``"JFIF"``."""
    label, zero, _ = bytes(segment.payload[:64]).partition(b"\0")
    if segment.name.startswith("APP") and zero and label.isascii():
        return label.decode("ascii")
    return None


def text(facts: dict[str, Any]) -> str:
    """What :func:`facts` found, as text for people."""
    rows: list[tuple[str, object]] = [("bytes", facts["bytes"])]
    if "width" in facts:
        rows += _header_rows(facts)
    if "segments" not in facts:
        return columns(rows)
    tables = [f"{t['kind']} {t['slot']} ({sum(t['bits'])} codes)" for t in facts["huffman_tables"]]
    rows.append(("Huffman tables", ", ".join(tables) or "none"))
    if not facts["ends_with_eoi"]:
        rows.append(("end", "there is no EOI marker"))
    elif facts["bytes_behind_eoi"]:
        rows.append(("end", f"{facts['bytes_behind_eoi']} bytes behind the EOI marker"))
    rows += _decoding_rows(facts.get("decoding"))
    blocks = [columns(rows)]
    for slot, table in facts.get("qtables", {}).items():
        lines = [" ".join(f"{step:5}" for step in row) for row in table]
        blocks.append("\n".join([f"quantization table {slot}", *lines]))
    lines = [" offset  length  marker"]
    for segment in facts["segments"]:
        length = "-" if segment["length"] is None else segment["length"]
        line = f"{segment['offset']:7}  {length:>6}  {segment['marker']}"
        if segment["identifier"]:
            line += f" {segment['identifier']}"
        if segment["coded_bytes"] is not None:
            line += f" and {segment['coded_bytes']} bytes of coded data"
        lines.append(line)
    return "\n\n".join([*blocks, "\n".join(lines)])


def _header_rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    components = [
        f"{c['identifier']}: {c['h']}x{c['v']}, table {c['table']}" for c in facts["components"]
    ]
    quality = "unknown: its table is missing"
    if facts["quality"] is not None:
        quality = f"{facts['quality']} ({'exact' if facts['quality_exact'] else 'nearest'})"
    height = facts["height"] or "(behind the first scan)"
    rows: list[tuple[str, object]] = [
        ("pixels", f"{facts['width']} x {height}"),
        ("process", f"{facts['process']}, {facts['precision']} bits"),
        ("colour", facts["color"]),
        ("subsampling", facts["subsampling"]),
        ("components", "; ".join(components)),
        ("quality", quality),
        ("restart interval", facts["restart_interval"] or "none"),
        ("JFIF", "yes" if facts["jfif"] else "no"),
        (
            "Adobe transform",
            "none" if facts["adobe_transform"] is None else facts["adobe_transform"],
        ),
        ("Exif orientation", facts["orientation"]),
        ("ICC profile", "yes" if facts["icc_profile"] else "no"),
    ]
    rows += [("comment", " ".join(comment.split())) for comment in facts["comments"]]
    rows += [("warning", warning) for warning in facts["warnings"]]
    return rows


def _decoding_rows(facts: dict[str, Any] | None) -> list[tuple[str, object]]:
    if facts is None:
        return []
    if facts["refused"]:
        return [("not decoded", facts["refused"])]
    rows: list[tuple[str, object]] = [
        ("sound MCUs", f"{facts['sound_mcus']} of {facts['mcus']}, of all scans")
    ]
    for problem in facts["problems"]:
        rows.append(("problem", f"at byte {problem['offset']}: {problem['reason']}"))
    rows += [("warning", warning) for warning in facts["warnings"]]
    return rows


def columns(rows: Sequence[tuple[str, object]]) -> str:
    """Names and values, one below the other."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)
