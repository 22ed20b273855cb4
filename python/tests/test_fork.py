"""After a fork, chance is not the parent's."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice

import pytest

from test_retry_oracle import draw, split_mix

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

# In a process of its own: that of the tests has threads, with which one should not fork.
FORKS = """
import os, sys, seawall

def ask(strategy, deeper):
    # What a child draws, and what its own child draws.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        drawn = repr(strategy.next_delay(1))
        if deeper:
            drawn += " " + ask(strategy, False)
        os.write(writer, drawn.encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        drawn = pipe.read()
    os.waitpid(child, 0)
    return drawn

for seed in None, 7:
    strategy = seawall.RetryStrategy(base_delay=10, seed=seed)
    print(strategy.next_delay(1), *(ask(strategy, True) for _ in range(100)), strategy.next_delay(1))
"""


def test_a_hundred_children_and_theirs_draw_other_delays_each() -> None:
    ran = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=120, check=True)
    for seed, line in zip((None, 7), ran.stdout.splitlines(), strict=True):
        delays = [float(word) for word in line.split()]
        assert len(set(delays)) == len(delays) == 202, f"seed {seed}"
        if seed is not None:
            # The parent goes on with its own stream.
            expected = [draw(number, 10_000_000_000) / 1e9 for number in islice(split_mix(seed), 2)]
            assert [delays[0], delays[-1]] == expected


GUARDED = """
import os, seawall

def delay(guard):
    wait = guard.begin().try_attempt().finish("failure")
    return 0.0 if wait is None else wait

settings = {"bucket": {"rate": 100_000, "burst": 1_000, "initial": 1_000}, "limit": {"start": 8}, "retry_streak": None}
for seed in None, 7:
    guard = seawall.Guard(20, 1.0, seed=seed, retry={"base_delay": 10.0}, breaker={"failure_threshold": 99}, **settings)
    drawn = [delay(guard)]
    for _ in range(20):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, repr(delay(guard)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        drawn.append(float(os.read(reader, 99)))
        os.close(reader), os.close(writer)
    print(*drawn)
"""


def test_the_children_of_a_guard_back_off_each_at_its_own_time() -> None:
    ran = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, timeout=120, check=True)
    for line in ran.stdout.splitlines():
        delays = [float(word) for word in line.split()]
        assert len(set(delays)) == len(delays) == 21
