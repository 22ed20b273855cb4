"""What all tests share."""

from __future__ import annotations

import pytest

import seawall


@pytest.fixture
def clock() -> seawall.ManualClock:
    return seawall.ManualClock()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
