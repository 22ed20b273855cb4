"""Stops retry storms where they start: in the client.

>>> import seawall
>>> bucket = seawall.TokenBucket(10)
>>> bucket.try_take()
True
"""

from ._errors import (
    CircuitOpen,
    ConcurrencyLimited,
    DeadlineExceeded,
    Paused,
    RateLimited,
    Refused,
    RetryBudgetSpent,
    SeawallError,
)
from ._native import (
    KeyedBuckets,
    ManualClock,
    RateCheck,
    Reservation,
    RetryAttempt,
    RetryBudget,
    RetryCall,
    RetryStrategy,
    TokenBucket,
    WarmUp,
    __version__,
)

__all__ = [
    "CircuitOpen",
    "ConcurrencyLimited",
    "DeadlineExceeded",
    "KeyedBuckets",
    "ManualClock",
    "Paused",
    "RateCheck",
    "RateLimited",
    "Refused",
    "Reservation",
    "RetryAttempt",
    "RetryBudget",
    "RetryBudgetSpent",
    "RetryCall",
    "RetryStrategy",
    "SeawallError",
    "TokenBucket",
    "WarmUp",
    "__version__",
]
