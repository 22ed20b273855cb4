"""`python -m seawall`: what it says of itself, and that its storm runs and can be stopped."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

import seawall

RUN = [sys.executable, "-m", "seawall"]


def test_it_says_what_is_installed() -> None:
    said = subprocess.run([*RUN, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith(f"seawall {seawall.__version__} (")
    assert "64 bits lock-free" in said
    assert "the GIL" in said


def test_the_storm_is_counted_and_told_in_ascii_where_there_is_no_terminal() -> None:
    said = subprocess.run([*RUN, "--seconds", "3"], capture_output=True, check=True, timeout=60).stdout.decode("ascii")
    assert "\r" not in said
    calls = re.search(r"^calls +(\d+) +(\d+)$", said, re.MULTILINE)
    sends = re.search(r"^sends for each call +([\d.]+) +([\d.]+)$", said, re.MULTILINE)
    assert calls is not None and sends is not None, said
    # Both had the same calls; nobody sent more often than the unprotected.
    assert calls[1] == calls[2] != "0"
    assert float(sends[2]) < float(sends[1])
    assert "The guard: " in said


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGINT of another process")
def test_ctrl_c_ends_it_without_a_traceback() -> None:
    with subprocess.Popen([*RUN, "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        while "unprotected" not in running.stdout.readline():
            pass
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
        assert "stopped" in running.stdout.read()
        assert running.stderr.read() == ""


def test_a_storm_of_no_length_is_refused() -> None:
    refused = subprocess.run([*RUN, "--seconds", "0"], capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 2
    assert "--seconds must be 3 to 3600, not 0" in refused.stderr
