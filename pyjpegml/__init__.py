"""pyjpegml: JPEG in pure Python, as small as a guaranteed MS-SSIM allows.

Public functions are imported at their first use, so that ``import pyjpegml`` is quick: it imports
neither NumPy's users nor Numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import JpegError, JpegFormatError, JpegLimitError, JpegUnsupportedError

if TYPE_CHECKING:
    from .decoder import Coefficients, Report, decode, decode_coefficients, decode_partial
    from .encoder import encode
    from .header import Header, read_header
    from .metadata import Metadata
    from .metrics import ms_ssim
    from .rate import compress
    from .result import Result
    from .rewriting import encode_coefficients, recode
    from .transforms import transform

__version__ = "0.1.0"

__all__ = [
    "Coefficients",
    "Header",
    "JpegError",
    "JpegFormatError",
    "JpegLimitError",
    "JpegUnsupportedError",
    "Metadata",
    "Report",
    "Result",
    "compress",
    "decode",
    "decode_coefficients",
    "decode_partial",
    "encode",
    "encode_coefficients",
    "ms_ssim",
    "read_header",
    "recode",
    "transform",
]

_HOME = {
    "Coefficients": "decoder",
    "Header": "header",
    "Metadata": "metadata",
    "Report": "decoder",
    "Result": "result",
    "compress": "rate",
    "decode": "decoder",
    "decode_coefficients": "decoder",
    "decode_partial": "decoder",
    "encode": "encoder",
    "encode_coefficients": "rewriting",
    "ms_ssim": "metrics",
    "read_header": "header",
    "recode": "rewriting",
    "transform": "transforms",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module at the first use (PEP 562)."""
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
