"""What is raised. Every refusal is a `Refused`, of the class of the stage that refused."""

from __future__ import annotations

__all__ = [
    "CircuitOpen",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "Paused",
    "RateLimited",
    "Refused",
    "RetryBudgetSpent",
    "SeawallError",
]

_REASONS = {
    "never": "asks for more than can ever be granted",
    "clock_stepped": "the clock stepped back",
    "no_place": "there is no place left for its key",
}


class SeawallError(Exception):
    """The base of all that seawall raises of its own."""

    __module__ = "seawall"


class Refused(SeawallError):
    """A call must not be sent now.

    It is an exception where a refusal is raised, and a plain answer of `peek`.
    """

    __module__ = "seawall"

    # Set by the native side, which runs no Python to raise.
    args: tuple[str, str, float | None]

    @property
    def stage(self) -> str:
        """Which stage refused: "deadline", "pause", "circuit_breaker", "concurrency_limit", "token_bucket",
        "retry_budget" or "keyed_bucket".
        """
        return self.args[0]

    @property
    def reason(self) -> str:
        """Why: "not_yet"; "never", where it asks for more than can ever be granted; "clock_stepped"; or "no_place"."""
        return self.args[1]

    @property
    def retry_after(self) -> float | None:
        """How many seconds to wait before it can pass; None where nobody knows, or never."""
        return self.args[2]

    def __str__(self) -> str:
        if len(self.args) != 3:
            return super().__str__()
        stage, reason, retry_after = self.args
        said = f"refused by the {stage.replace('_', ' ')}"
        if reason in _REASONS:
            said += f": {_REASONS[reason]}"
        if retry_after is not None:
            said += f"; again in {retry_after:.3g} s"
        return said


class RateLimited(Refused):
    """There are too few tokens, in the bucket or in that of the key."""

    __module__ = "seawall"


class CircuitOpen(Refused):
    """The service counts as down."""

    __module__ = "seawall"


class ConcurrencyLimited(Refused):
    """As many calls are in flight as may be."""

    __module__ = "seawall"


class Paused(Refused):
    """The service asked to be spared (Retry-After)."""

    __module__ = "seawall"


class DeadlineExceeded(Refused):
    """The answer would come too late."""

    __module__ = "seawall"


class RetryBudgetSpent(Refused):
    """The traffic has had its share of retries."""

    __module__ = "seawall"
