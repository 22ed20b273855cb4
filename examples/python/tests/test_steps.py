"""The steps, shortened, against the real server: what they claim, as far as it is not how fast this machine is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1]
STEPS = sorted(step.name for step in FOLDER.glob("[0-9]_*.py"))
PROTECTED = "7_guard.py"

@pytest.fixture(scope="module")
def server() -> Path:
    """The program of the server, built once and not by each step."""
    sys.path.insert(0, str(FOLDER))
    try:
        import storm_server

        return storm_server.program()
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def figures(server: Path) -> dict[str, dict[str, Any]]:
    def run(step: str) -> dict[str, Any]:
        command = [sys.executable, "-W", "error", step, "--short", "--json"]
        done = subprocess.run(
            command, cwd=FOLDER, env={**os.environ, "STORM": str(server)}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{step}: {done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(STEPS, pool.map(run, STEPS)))


def test_there_is_a_step_for_each_mechanism() -> None:
    assert len(STEPS) == 10


@pytest.mark.parametrize("step", STEPS)
def test_no_step_loses_a_message(step: str, figures: dict[str, dict[str, Any]]) -> None:
    assert figures[step]["lost"] == 0
    assert figures[step]["delivered"] > 0


def test_an_unprotected_client_makes_a_storm(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["0_unprotected.py"]["amplification"] > 2


def test_the_guard_sends_hardly_a_message_twice(figures: dict[str, dict[str, Any]]) -> None:
    assert figures[PROTECTED]["amplification"] < 1.2
    assert figures[PROTECTED]["delivered"] > 2 * figures["0_unprotected.py"]["delivered"]
    assert figures[PROTECTED]["live"] > figures["0_unprotected.py"]["live"]


def test_a_warm_up_takes_the_burst_from_the_start(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["2_warm_up.py"]["peak"] < figures["1_token_bucket.py"]["peak"] / 2


def test_a_guard_in_shadow_refuses_nothing(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["8_shadow.py"]["amplification"] > 2


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_small(step: str) -> None:
    assert len((FOLDER / step).read_text().splitlines()) <= 100
