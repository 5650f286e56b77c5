"""What can go wrong, as types.

The contract of every function that takes bytes: it returns a value, or raises a
:class:`JpegError`, whatever the bytes are. Wrong *arguments* raise ``ValueError`` or ``TypeError``.
"""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound="JpegError")


class JpegError(ValueError):
    """Base of all errors about JPEG data.

    Parameters
    ----------
    message : str
        What is wrong, and what would be accepted.
    offset : int, optional
        Byte offset in the data at which it was noticed.
    marker : str, optional
        The marker whose segment it was, such as ``"DHT"``.

    Attributes
    ----------
    offset, marker
        As given; None if unknown.
    """

    def __init__(
        self, message: str, *, offset: int | None = None, marker: str | None = None
    ) -> None:
        self.offset = offset
        self.marker = marker
        self.reason = message
        where = [
            f"in {marker}" if marker else "",
            f"at byte {offset}" if offset is not None else "",
        ]
        place = " ".join(part for part in where if part)
        super().__init__(f"{message} ({place})" if place else message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.reason, self.offset, self.marker)


def _rebuild(
    cls: type[JpegError], reason: str, offset: int | None, marker: str | None
) -> JpegError:
    """Unpickle an error whose fields are keywords (process pools send errors this way)."""
    return cls(reason, offset=offset, marker=marker)


def without_calls(error: E) -> E:
    """The same exception without the calls that it came through.

    They keep their variables, and so views of the data, as long as anybody keeps the exception.
    """
    found: BaseException | None = error
    while found is not None:
        found.__traceback__ = None
        found = found.__context__
    return error


class JpegFormatError(JpegError):
    """The data break ITU-T T.81: a wrong length, a missing table, a code that does not exist."""


class JpegUnsupportedError(JpegError):
    """The data are (or may be) sound, but use a feature that this version names and cannot read."""


class JpegLimitError(JpegError):
    """The data ask for more than a limit allows: pixels, memory, work."""
