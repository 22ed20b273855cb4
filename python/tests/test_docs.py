"""Every example that a reader may copy runs: the blocks of the pages, and what the docstrings show. None is left out."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import seawall

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Output is caught for the whole process.
pytestmark = pytest.mark.thread_unsafe


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    for page in sorted((ROOT / "python").rglob("*.md")):
        if not any(part.startswith(".") for part in page.relative_to(ROOT).parts):
            yield page


def blocks() -> Iterator[Any]:
    for page in pages():
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start(1))
            yield pytest.param(page, line, found[1], id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize(("page", "line", "source"), list(blocks()))
def test_a_block_of_a_page_runs(page: Path, line: int, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A module, as a program would be: classes and annotations look their names up there.
    module = types.ModuleType("block")
    monkeypatch.setitem(sys.modules, "block", module)
    exec(compile("\n" * line + source, str(page), "exec"), module.__dict__)


def modules() -> Iterator[types.ModuleType]:
    yield seawall
    for found in pkgutil.iter_modules(seawall.__path__, "seawall."):
        # To run it is what it is for.
        if found.name != "seawall.__main__":
            yield importlib.import_module(found.name)


def documented() -> Iterator[tuple[str, str]]:
    """Name and docstring of every module, class, function, method and property: native ones as well."""
    seen: set[int] = set()
    for module in modules():
        yield module.__name__, module.__doc__ or ""
        for name, member in vars(module).items():
            if getattr(member, "__module__", None) not in ("seawall", module.__name__) or id(member) in seen:
                continue
            if inspect.isclass(member) or inspect.isroutine(member):
                seen.add(id(member))
                yield f"{module.__name__}.{name}", inspect.getdoc(member) or ""
                for inner, value in vars(member).items() if inspect.isclass(member) else ():
                    yield f"{module.__name__}.{name}.{inner}", inspect.getdoc(value) or ""


def examples() -> Iterator[Any]:
    for name, text in documented():
        if ">>>" in text:
            yield pytest.param(name, text, id=name)


@pytest.mark.parametrize(("name", "text"), list(examples()))
def test_an_example_of_a_docstring_answers_what_it_says(name: str, text: str) -> None:
    example = doctest.DocTestParser().get_doctest(text, {"__name__": "example"}, name, None, None)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", [name for name in seawall.__all__ if inspect.isclass(getattr(seawall, name))])
def test_each_public_class_says_what_it_is_for(name: str) -> None:
    assert len(inspect.getdoc(getattr(seawall, name)) or "") > 20


# What is held, not only passed on: each is made by a user, and shows how.
@pytest.mark.parametrize(
    "name",
    [
        "AIMDController",
        "CircuitBreaker",
        "ConcurrencyLimit",
        "Guard",
        "KeyedBuckets",
        "ManualClock",
        "RetryBudget",
        "RetryStrategy",
        "SlidingWindow",
        "TokenBucket",
        "WarmUp",
    ],
)
def test_each_class_that_is_made_by_a_user_shows_how(name: str) -> None:
    assert ">>>" in (getattr(seawall, name).__doc__ or "")
