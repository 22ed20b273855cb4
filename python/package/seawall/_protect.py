"""Functions and coroutines behind a mechanism. Imported by the first decorator, or the first coroutine."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from ._native import Decorated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._native import BreakerPermit, CircuitBreaker, ConcurrencyLimit, LimitPermit


async def within(permit: BreakerPermit | LimitPermit, awaitable: Awaitable[Any]) -> Any:
    """Awaits it inside of the permit."""
    with permit:
        return await awaitable


def protect(whole: CircuitBreaker | ConcurrencyLimit, function: Callable[..., Any]) -> Any:
    """`function`, with each of its calls behind `whole`, of the same colour."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(protect(whole, function.__func__))
    if not callable(function):
        raise TypeError(f"a {type(whole).__name__} protects a function, not {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function!r} is a generator: its work is done after it has returned. "
            f"Use `with {type(whole).__name__}.try_attempt():` where the work is done"
        )
    if is_async(function):
        attempt = whole.try_attempt

        @functools.wraps(function)
        async def protected(*args: Any, **kwargs: Any) -> Any:
            with attempt():
                return await function(*args, **kwargs)

        return protected
    return functools.update_wrapper(Decorated(whole, function), function)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether it is a coroutine function, or an object whose call is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
