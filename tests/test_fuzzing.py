"""The fuzzer's contract holds for its seeds, and for every file with which it was once broken."""

from __future__ import annotations

import fuzzing
import pytest
from helpers import run_python

import pyjpegml
from pyjpegml import JpegFormatError, decode, decode_partial
from pyjpegml.testing import PROCESSES

#: What ``.ci/fuzz`` found, made as small as the fault allows.
FOUND = {
    # in plain Python a DC beyond 16 bits was an OverflowError, where compiled kernels wrap it
    "a point transform of 13": "ffd8 ffca000b080017000501012100 ffdb004300 %s ffdd00040002"
    "ffda000801010000000d 45" % ("01" * 64),
    # decode refused it, and decode_partial found nothing wrong
    "a surplus restart marker": "ffd8 ffdb004300 %s ffc0000b0800010001010111 00"
    "ffda0008010100003f00 2b ffd0 2b ffd9" % ("01" * 64),
    # the error did not say where
    "a restart interval within a row": "ffd8 ffc3000b080002000201011100 ffdd00040001"
    "ffda0008010100040000 00 ffd9",
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", FOUND)
def test_findings(name: str) -> None:
    fuzzing.check(bytes.fromhex(FOUND[name]))


def test_findings_in_plain_python() -> None:
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from test_fuzzing import FOUND, fuzzing

for text in FOUND.values():
    fuzzing.check(bytes.fromhex(text))
"""
    run_python(
        script, fuzzing.__file__.rpartition("/")[0], options=("-W", "error"), NUMBA_DISABLE_JIT="1"
    )


def test_a_restart_interval_within_a_row() -> None:
    with pytest.raises(JpegFormatError, match="a multiple of the 2 MCUs in a row") as caught:
        decode_partial(bytes.fromhex(FOUND["a restart interval within a row"]))
    assert (caught.value.marker, caught.value.offset) == ("SOS", 25)


@pytest.mark.hostile
def test_seeds() -> None:
    """They are of all processes, and sound: what a fuzzer begins with decides what it finds."""
    seeds = list(fuzzing.seeds(15))
    assert {pyjpegml.read_header(data).process for data in seeds} == set(PROCESSES)
    assert all(len(data) < 2 * fuzzing.SEED_BYTES for data in seeds)
    for data in seeds:
        decode(data)
        fuzzing.check(data)
