"""What all tests share."""

from __future__ import annotations

import pytest

import seawall


# A test that gets one of these shares it with itself, where it runs on several threads at once (pytest-run-parallel).
SHARED = {"anyio_backend", "clock", "monkeypatch", "watched"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thread_unsafe: not run on several threads at once")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SHARED.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("thread_unsafe")


@pytest.fixture
def clock() -> seawall.ManualClock:
    return seawall.ManualClock()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
