"""What pytest loads by itself, by the entry point: fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._native import ManualClock


@pytest.fixture
def seawall_clock() -> Iterator[ManualClock]:
    """A clock that jumps over every wait. What the test makes of seawall goes by it, unless it is given another one."""
    from . import testing

    with testing.clock() as clock:
        yield clock
