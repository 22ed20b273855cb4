"""`python examples/python`: every step, one after the other, and one table of them all. It takes over two minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from table import table


def steps() -> list[Path]:
    return sorted(Path(__file__).parent.glob("[0-9]_*.py"))


def main() -> None:
    rows = []
    for step in steps():
        print(step.name, file=sys.stderr)
        command = [sys.executable, str(step), "--json", *sys.argv[1:]]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout))
    print(table(rows))


if __name__ == "__main__":
    main()
