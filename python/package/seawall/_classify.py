"""Stands in until the retries bring theirs."""

from __future__ import annotations

from typing import Any

_KINDS = ("retryable", "permanent", "throttled", "timeout", "ignored")


def classify(error: BaseException, on: Any) -> tuple[str, float | None]:
    if not isinstance(error, Exception):
        return "ignored", None
    if isinstance(on, (type, tuple)):
        kind = "retryable" if isinstance(error, on) else "permanent"
        return ("timeout" if kind == "retryable" and isinstance(error, TimeoutError) else kind), None
    answer = on(error)
    if answer is None or answer is True:
        return "retryable", None
    if answer is False:
        return "permanent", None
    if answer not in _KINDS:
        raise TypeError(f"on= answered {answer!r}")
    return answer, None
