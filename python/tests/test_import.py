"""What `import seawall` brings, and what it costs the program that imports it."""

from __future__ import annotations

import ast
import subprocess
import sys

SHOW = "import sys; before = set(sys.modules); {}; print(sorted(set(sys.modules) - before))"


def imported_by(statement: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-I", "-c", SHOW.format(statement)], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ast.literal_eval(shown.stdout))


def test_it_imports_itself_and_nothing_else() -> None:
    assert imported_by("import seawall") <= {
        "__future__",
        "seawall",
        "seawall._errors",
        "seawall._native",
    }


def test_the_look_at_what_is_imported_sees_the_standard_library() -> None:
    assert {"asyncio", "threading"} <= imported_by("import asyncio")


def test_a_decision_imports_nothing() -> None:
    answers = (
        # A function's answer is held against the type of coroutines, which `types` has.
        "import seawall, types; before |= set(sys.modules); "
        "bucket = seawall.TokenBucket(1); bucket.try_take(); bucket.try_take(); bucket.take(0); bucket.peek(); "
        "seawall.CircuitBreaker().call(len, []); seawall.SlidingWindow().record(0.1); "
        "seawall.KeyedBuckets(1).try_take('alice'); seawall.Guard(10, 1.0).call(len, [])"
    )
    assert imported_by(answers) == set()


IN_ANOTHER_INTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import seawall
interpreters.run_string(interpreters.create(), '''
try:
    import seawall
except ImportError as refused:
    print("refused:", refused, flush=True)
else:
    print("imported", flush=True)
''')
assert seawall.TokenBucket(1).try_take()
"""


def test_a_second_interpreter_of_the_process_is_refused_and_harms_nothing() -> None:
    said = subprocess.run(
        [sys.executable, "-I", "-c", IN_ANOTHER_INTERPRETER], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert said.startswith("refused: module seawall._native does not support loading in subinterpreters"), said
