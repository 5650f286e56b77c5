"""The error types: what they say, and that they travel between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

import pyjpegml
from pyjpegml.errors import JpegError, JpegFormatError, JpegLimitError, JpegUnsupportedError

TYPES = [JpegError, JpegFormatError, JpegUnsupportedError, JpegLimitError]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({}, "too long"),
        ({"offset": 0}, "too long (at byte 0)"),
        ({"marker": "DHT"}, "too long (in DHT)"),
        ({"offset": 12, "marker": "DHT"}, "too long (in DHT at byte 12)"),
    ],
)
@pytest.mark.parametrize("kind", TYPES)
def test_message_says_where(kind: type[JpegError], where: dict[str, object], text: str) -> None:
    error = kind("too long", **where)
    assert str(error) == text
    assert error.reason == "too long"
    assert (error.offset, error.marker) == (where.get("offset"), where.get("marker"))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "remake", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_errors_can_be_sent(kind: type[JpegError], remake: object) -> None:
    error = kind("too long", offset=12, marker="DHT")
    other = remake(error)
    assert type(other) is kind
    assert str(other) == str(error)
    assert (other.reason, other.offset, other.marker) == ("too long", 12, "DHT")


def test_one_base_which_is_a_value_error() -> None:
    assert all(issubclass(kind, JpegError) for kind in TYPES)
    assert issubclass(JpegError, ValueError)
    assert all(getattr(pyjpegml, kind.__name__) is kind for kind in TYPES)


def test_errors_raised_by_the_decoder_can_be_pickled() -> None:
    with pytest.raises(JpegFormatError) as caught:
        pyjpegml.decode(b"\xff\xd8\xff\xdb\x00\x03\x25")
    assert (caught.value.offset, caught.value.marker) == (6, "DQT")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
