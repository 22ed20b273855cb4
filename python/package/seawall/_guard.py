"""What a guard does in Python: whatever waits, is awaited, or was sent and failed.

The first attempt of a function that is called through a guard is native. Here is what follows it, and the decorator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ._native import Attempt, Decorated

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._native import Call, Guard


async def awaited(
    attempt: Attempt, coroutine: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    """The coroutine that the first attempt returned, and those of the retries."""
    while True:
        try:
            result = await coroutine
        except BaseException as error:
            if not attempt.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            attempt.finish("success")
            return result
        attempt = await anext(attempt.call)
        coroutine = _called(function, args, kwargs)


async def _begin_async(
    call: Call, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    attempt = await anext(call)
    return await awaited(attempt, _called(function, args, kwargs), function, args, kwargs)


async def _called(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    return await function(*args, **kwargs or {})


def run(
    call: Call, is_async: bool, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None
) -> Any:
    """A call that was not admitted at once, or that has failed once: with what waits, in its thread or its task."""
    if is_async:
        return _begin_async(call, function, args, kwargs)
    for attempt in call:
        try:
            result = function(*args, **kwargs or {})
        except BaseException as error:
            if not attempt.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            if hasattr(type(result), "__await__"):
                return awaited(attempt, result, function, args, kwargs)
            attempt.finish("success")
            return result
    raise AssertionError("the last attempt returned or raised")


def decorator(guard: Guard, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`@guard(key=...)`."""

    def decorated(function: Callable[..., Any]) -> Any:
        return decorate(guard, function, **settings)

    # Wrong settings are said where they stand.
    decorate(guard, decorated, **settings)
    return decorated


def decorate(
    guard: Guard,
    function: Callable[..., Any],
    *,
    key: Any = None,
    shard: Any = 0,
    cost: int = 1,
    deadline: Any = None,
    max_wait: Any = None,
    retry: bool = False,
) -> Any:
    """The function, each call of which goes through the guard: of the same colour, name and signature."""
    from functools import update_wrapper, wraps
    from inspect import isasyncgenfunction, isgeneratorfunction

    from ._protect import is_async

    if isinstance(function, (staticmethod, classmethod)):
        settings = {"shard": shard, "cost": cost, "deadline": deadline, "max_wait": max_wait, "retry": retry}
        return type(function)(decorate(guard, function.__func__, key=key, **settings))
    if not callable(function):
        raise TypeError(f"a guard decorates functions, not {function!r}")
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        name = getattr(function, "__qualname__", function)
        raise TypeError(f"{name} is a generator: its work is done after it has returned. Guard what it calls instead")
    is_plain = key is None and shard == 0 and cost == 1 and deadline is None and max_wait is None

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        asked: Any = key(*args, **kwargs) if callable(key) else key
        part: Any = shard(*args, **kwargs) if callable(shard) else shard
        return guard.begin(
            key=asked,
            shard=part,
            cost=cost,
            deadline=deadline,
            max_wait=max_wait,
        )

    if not (callable(key) or callable(shard)):
        guard.peek(key=key, shard=shard, cost=cost, deadline=deadline)

    enter = guard._enter
    if is_async(function) and is_plain and not retry:

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            attempt = enter()
            if attempt.__class__ is not Attempt:
                attempt = await anext(cast("Call", attempt))
            with attempt:
                return await function(*args, **kwargs)

    elif is_async(function):

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = begin(args, kwargs)
            if not retry:
                async with call:
                    return await function(*args, **kwargs)
            return await _begin_async(call, function, args, kwargs)

    elif is_plain:
        return update_wrapper(Decorated(guard, function, retry), function)

    else:

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return run(begin(args, kwargs)._once(not retry), False, function, args, kwargs)

    return wrapper
