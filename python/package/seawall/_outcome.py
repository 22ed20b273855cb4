"""What an exception says of the service that was called, for a breaker or a limit. Imported by the first that is raised."""

from __future__ import annotations

from ._classify import classify

_OUTCOMES = {
    "retryable": "failure",
    "throttled": "throttled",
    "timeout": "timeout",
    # The service was reached, and answered: the request was at fault.
    "permanent": "success",
    "ignored": "ignored",
}


def outcome_of(error: BaseException, on: object) -> str:
    """ "success", "failure", "throttled", "timeout" or "ignored"; None as `on` stands for every `Exception`."""
    kind, _ = classify(error, Exception if on is None else on)
    return _OUTCOMES[kind]
