"""The test vectors of the core, `core/tests/vectors`: what every face has to decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "core" / "tests" / "vectors"


@dataclass(frozen=True)
class Step:
    line: int
    verb: str
    given: dict[str, str]
    answer: str
    answers: dict[str, str]

    def number(self, name: str) -> int:
        return int(self.given[name])


def steps(name: str) -> Iterator[Step]:
    """The lines of a file: `verb name=value ... -> answer name=value ...`."""
    for line, text in enumerate((FOLDER / f"{name}.txt").read_text().splitlines(), 1):
        if text.startswith("#") or not text.strip():
            continue
        asked, answered = text.split(" -> ")
        verb, *given = asked.split()
        words = answered.split()
        pairs = [word for word in words if "=" in word]
        answer = next((word for word in words if "=" not in word), "")
        yield Step(line, verb, _pairs(given), answer, _pairs(pairs))


def _pairs(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def seconds(nanoseconds: str) -> float | None:
    """A wait as the Python face says it."""
    return None if nanoseconds == "none" else int(nanoseconds) / 1e9
