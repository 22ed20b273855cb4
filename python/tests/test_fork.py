"""After a fork, chance is not the parent's, nor is who waits."""

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


GHOSTS = """
import os, threading, time, warnings
import seawall

warnings.simplefilter("ignore", DeprecationWarning)

def blocked(work, waiting):
    for number in range(3):
        threading.Thread(target=work, daemon=True).start()
        while waiting() <= number:
            time.sleep(0.001)

bucket = seawall.TokenBucket(50, 1, initial=0)
held = seawall.TokenBucket("1/h", initial=0)
guard = seawall.Guard(100, 1.0, max_wait=60.0, limit={"start": 1, "ceiling": 1}, bucket={"rate": 1e6, "burst": 9})
attempt = guard.begin().try_attempt()
clock = seawall.ManualClock()
by_hand = seawall.TokenBucket(1, initial=0, clock=clock)
blocked(held.take_blocking, lambda: held.waiting)
blocked(lambda: guard.call(int), lambda: guard.waiting)
blocked(by_hand.take_blocking, lambda: by_hand.waiting)
child = os.fork()
if child == 0:
    assert held.waiting == guard.waiting == by_hand.waiting == 0, (held, guard, by_hand)
    held.set_rate(1000)
    held.take_blocking(max_wait=10)
    attempt.finish("success")
    assert guard.call(int, "7") == 7
    clock.advance(1)
    assert by_hand.try_take()
    os._exit(0)
status = os.waitpid(child, 0)[1]
assert held.waiting == guard.waiting == by_hand.waiting == 3
clock.advance(1)
while by_hand.waiting == 3:
    time.sleep(0.001)
os._exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_does_not_wait_behind_threads_that_only_its_parent_has() -> None:
    ran = subprocess.run([sys.executable, "-c", GHOSTS], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


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
