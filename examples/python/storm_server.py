"""The storm lab's chat server, as a process of its own, for as long as a `with` block lasts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def program() -> Path:
    """Where `storm` lies: at $STORM, or it is built in this repository, which takes a minute the first time."""
    if given := os.environ.get("STORM"):
        return Path(given)
    built = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"), "debug", "storm")
    if not built.exists():
        print("the chat server is built: cargo build -p storm", file=sys.stderr)
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "storm"], cwd=REPOSITORY, check=True)
    return built


@contextmanager
def storm_server(capacity: int, log: Path) -> Iterator[tuple[str, int]]:
    """Its host and port. It does `capacity` messages a second, and has stopped at the end, however the block ends."""
    command = [str(program()), "server", "--capacity", str(capacity), "--log", str(log), "--until-end-of-input"]
    # The other end of its input is ours, so that it does not outlive this process, whatever ends it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host, port = process.stdout.readline().strip().rsplit(":", 1)
            yield host, int(port)
        finally:
            process.kill()
