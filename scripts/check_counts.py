"""Holds the counts of benches/counts against their limits: scripts/counts runs it.

    check_counts.py SUMMARIES LIMITS [--json FILE]

Every path that was counted has a limit and every limit its path. A limit over its target has a reason.
"""

import json
import sys
import tomllib
from pathlib import Path


def counted(folder):
    """The counts of each path, by the names of function and variant."""
    counts = {}
    for file in folder.rglob("summary.json"):
        summary = json.loads(file.read_text())
        name = summary["function_name"]
        if summary["id"] != "is":
            name += "." + summary["id"]
        metrics = summary["profiles"][0]["data"]["total"]["metrics"]
        counts[name] = {
            "instructions": newest(metrics["Ir"]),
            "locked RMW": newest(metrics["Ge"]),
        }
    return counts


def newest(metric):
    values = metric["values"]
    return values["new"] if isinstance(values, dict) else values[0]


def rows_of(limits, counts):
    for name, limit in limits.items():
        for against in ("instructions", "locked RMW"):
            most = limit[against]
            target = limit.get("target", {}).get(against, most)
            count = counts[name][against]
            yield {
                "path": limit["path"],
                "against": against,
                "ratio": count,
                "target": f"<= {target}",
                "met": count <= target,
                "reason": "" if count <= target else limit.get("reason", ""),
                "limit": most,
            }


def main(folder, limits_file, json_file=None):
    limits = tomllib.loads(Path(limits_file).read_text())
    counts = counted(Path(folder))
    faults = [f"{name} is counted and has no limit" for name in sorted(counts.keys() - limits.keys())]
    faults += [f"{name} has a limit and is not counted" for name in sorted(limits.keys() - counts.keys())]
    rows = [] if faults else list(rows_of(limits, counts))
    width = max((len(row["path"]) for row in rows), default=0)
    print(f"{'path':{width}}  {'':12}  count  target")
    for row in rows:
        verdict = "met" if row["met"] else "MISSED: " + row["reason"]
        print(f"{row['path']:{width}}  {row['against']:12}  {row['ratio']:5}  {row['target']:>6}  {verdict}")
        if row["ratio"] > row["limit"]:
            faults.append(f"{row['path']}: {row['ratio']} {row['against']}, allowed are {row['limit']}")
        elif not row["met"] and not row["reason"]:
            faults.append(f"{row['path']}: {row['target']} {row['against']} is missed without a reason")
    if json_file:
        told = [{key: value for key, value in row.items() if key != "limit"} for row in rows]
        Path(json_file).write_text(json.dumps({"rows": told}, indent=1) + "\n")
    print("\n".join(["", *faults]) if faults else f"\n{len(rows)} counts, all within their limits")
    return 1 if faults else 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) == 4 and arguments[2] == "--json":
        del arguments[2]
    if len(arguments) not in (2, 3) or any(argument.startswith("-") for argument in arguments):
        sys.exit(__doc__)
    sys.exit(main(*arguments))
