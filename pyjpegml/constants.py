"""Tables that the standard fixes: the zigzag order (T.81 Figure A.6) and Annex K's examples.

Arrays are read-only. Kernels take them as arguments: Numba would freeze a global into the code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def _frozen(values: object, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    array = np.array(values, dtype)
    array.flags.writeable = False
    return array


def _zigzag() -> list[int]:
    """Natural index ``8 * v + u`` of the k-th coefficient on the zigzag path: odd diagonals run
    down to the left, even ones up to the right.
    """
    order = []
    for diagonal in range(15):
        cells = [8 * v + (diagonal - v) for v in range(8) if 0 <= diagonal - v < 8]
        order += cells if diagonal % 2 else cells[::-1]
    return order


#: ``ZIGZAG[k]`` is the natural index (row-major, vertical frequency first) of zigzag position k.
ZIGZAG = _frozen(_zigzag(), np.uint8)

#: ``UNZIGZAG[i]`` is the zigzag position of natural index i.
UNZIGZAG = _frozen(np.argsort(_zigzag()), np.uint8)

#: Quantization table for luminance, natural order (T.81 Table K.1).
LUMINANCE_QTABLE = _frozen(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.uint16,
)

#: Quantization table for chrominance, natural order (T.81 Table K.2).
CHROMINANCE_QTABLE = _frozen(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
    ],
    np.uint16,
)

#: Number of DC codes of 1 to 16 bits, luminance and chrominance (T.81 Tables K.3 and K.4); in both
#: the symbols are the categories 0 to 11 in order.
DC_LUMINANCE_BITS = (0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
DC_CHROMINANCE_BITS = (0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)
DC_SYMBOLS = bytes(range(12))

#: Number of AC codes of 1 to 16 bits (T.81 Tables K.5 and K.6).
AC_LUMINANCE_BITS = (0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125)
AC_CHROMINANCE_BITS = (0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119)

#: AC symbols ``16 * run + size`` in order of increasing code (T.81 Tables K.5 and K.6).
AC_LUMINANCE_SYMBOLS = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
AC_CHROMINANCE_SYMBOLS = bytes.fromhex(
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a"
    "262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485"
    "868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7"
    "d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
