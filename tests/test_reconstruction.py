"""Bands of rows, each with its surroundings, make the picture that all rows make."""

from __future__ import annotations

import numpy as np
import pytest

from pyjpegml.coefficients import Geometry
from pyjpegml.encoder import usual_planes
from pyjpegml.header import SUBSAMPLINGS
from pyjpegml.reconstruction import resampled
from pyjpegml.strips import picture_of
from pyjpegml.threads import Crew


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:0"])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (128, 64), (257, 65), (530, 41)])
@pytest.mark.parametrize("channels", [3, 4])
def test_there_and_back_by_bands(subsampling, size, channels):
    image = np.random.default_rng(1).integers(0, 256, (*size, channels), np.uint8)
    factors = SUBSAMPLINGS[subsampling]
    geometry = Geometry(size[1], size[0], (*factors, factors[0])[:channels])
    with Crew(2) as crew:
        found = resampled(image, geometry, crew)
    np.testing.assert_array_equal(found, picture_of(geometry, usual_planes(image, geometry)))
