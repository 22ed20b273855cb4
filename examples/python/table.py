"""From what happened to figures, and from figures to a table."""

from __future__ import annotations

from typing import Any

COLUMNS = {
    "sent": "sent",
    "delivered": "delivered",
    "lost": "lost",
    "amplification": "sends per delivery",
    "peak": "peak sends/s",
    "p95": "p95 to delivery",
    "live": "live users answered",
    "live_p95": "their p95",
}


def figures(
    step: str,
    start: float,
    messages: int,
    sends: list[float],
    delivered: list[float],
    live: list[float | None],
    lost: int,
) -> dict[str, Any]:
    waits = sorted(at - start for at in delivered)
    # What was not delivered took longer than all that was.
    place = -(-messages * 95 // 100) - 1
    answered = sorted(wait for wait in live if wait is not None)
    live_place = -(-len(live) * 95 // 100) - 1
    return {
        "step": step,
        "messages": messages,
        "sent": len(sends),
        "delivered": len(delivered),
        "lost": lost,
        "amplification": len(sends) / max(len(delivered), 1),
        "peak": peak(sends),
        "p95": waits[place] if place < len(waits) else None,
        "live": len(answered) / max(len(live), 1),
        "live_p95": answered[live_place] if 0 <= live_place < len(answered) else None,
    }


def peak(sends: list[float]) -> int:
    """The most in any tenth of a second, times ten."""
    most = first = 0
    for index, at in enumerate(sends):
        while at - sends[first] >= 0.1:
            first += 1
        most = max(most, index - first + 1)
    return most * 10


def table(rows: list[dict[str, Any]]) -> str:
    shown = [["", *COLUMNS.values()], *([row["step"], *map(str, _shown(row))] for row in rows)]
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(line, widths)))
        for line in shown
    )  # fmt: skip


def _shown(row: dict[str, Any]) -> list[str]:
    return [
        str(row["sent"]),
        f"{row['delivered']} of {row['messages']}",
        str(row["lost"]),
        f"{row['amplification']:.2f}",
        str(row["peak"]),
        f"{row['p95']:.1f} s" if row["p95"] is not None else "not in time",
        f"{row['live']:.0%}",
        f"{row['live_p95'] * 1e3:.0f} ms" if row["live_p95"] is not None else "over 1 s",
    ]
