"""What the tests of the explorer share: a photograph, and the data in a page."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from helpers import picture

PHOTO = picture("natural", (84, 117, 3), seed=11)


def data_of(page: str, key: str) -> bytes:
    """The bytes of a data element."""
    found = re.search(f'<script type="text/plain" id="{key}">([^<]*)</script>', page)
    assert found, key
    return base64.b64decode(found[1])


def facts_of(page: str) -> dict[str, Any]:
    """What a page is told."""
    found = re.search('<script type="application/json" id="facts">([^<]*)</script>', page)
    assert found
    facts: dict[str, Any] = json.loads(found[1])
    return facts
