"""Holds include/seawall.h to what the rules of the face say of every function, whatever it does.

- A C test calls it, and a C test begins a configuration with every `_INIT` macro.
- include/seawall.hpp calls it too, so that nothing is missing in C++, where C++ has nothing of its own for it.
- Its comment has a `Threads:` and a `Returns:`, and names only what is there.
- No mark of a merge stands in it.
- The table of threads in docs/C.md says of which functions that is "exclusive".
"""

import re
import sys

import c_header

# What C++ has by itself: destruction, defaults of members, std::function; or says by another call.
ONLY_IN_C = re.compile(
    r"seawall_(\w+_(fini|config_default)|retry_strategy_config_guide|guard_config_for_service|transition_tell"
    r"|classification_of|error_class_of_http_status)"
)

TESTS = c_header.HEADER.parent.parent / "ffi" / "tests" / "c"


def check_threads(functions: list) -> list[str]:
    """What the table says is exclusive, by a name or by the end of one, is what the comments say, and nothing else is."""
    table = (c_header.HEADER.parent.parent / "docs" / "C.md").read_text().split("## Threads")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if re.match(r"\|[^|]*\| exclusive", row)]
    ends = tuple(name for row in rows for name in re.findall(r"`(\w+)`", row))
    return [
        f"{function.name}: its comment and docs/C.md differ in who may call it"
        for function in functions
        if bool(re.search(r"Threads: exclusive", function.comment)) != function.name.endswith(ends)
    ] + ([] if ends else ["docs/C.md has no table of threads"])


def main() -> int:
    code = "\n".join(c_header.without_comments(path.read_text()) for path in sorted(TESTS.glob("*.[ch]")))
    functions, initialisers = c_header.functions(), c_header.initialisers()
    plus = c_header.without_comments(c_header.HEADER.with_suffix(".hpp").read_text())
    header = c_header.text()
    known = set(re.findall(r"\b(?:seawall|SEAWALL)_\w+", c_header.without_comments(header)))
    faults = []
    for function in functions:
        if not re.search(rf"\b{function.name}\(", code):
            faults.append(f"{function.name}: no program of ffi/tests/c calls it")
        if not ONLY_IN_C.fullmatch(function.name) and not re.search(rf"\b{function.name}\b", plus):
            faults.append(f"{function.name}: include/seawall.hpp does not call it")
        faults += [
            f"{function.name}: its comment has no `{word}`"
            for word in ("Threads:", "Returns:")
            if not re.search(rf"(^|\. ){word} ", function.comment, re.MULTILINE)
        ]
    faults += check_threads(functions)
    for name in initialisers:
        if not re.search(rf"\b{name}\b", code):
            faults.append(f"{name}: no program of ffi/tests/c uses it")
    for name, more in re.findall(r"`\**((?:seawall|SEAWALL)_\w+)(…)?", header):
        if more:
            there = any(other.startswith(name) and other != name for other in known)
        else:
            there = name in known or f"{name}.h" in header
        if not there:
            faults.append(f"a comment names {name}{more}, which is not there")
    faults += [f"line {at} is a mark of a merge" for at, line in enumerate(header.splitlines(), 1) if re.match("[<=>]{7}( |$)", line)]
    print(*sorted(set(faults)), sep="\n", end="\n" if faults else "")
    print(f"the C face: {len(functions)} functions, {len(faults)} faults")
    return 1 if faults or not functions else 0


if __name__ == "__main__":
    sys.exit(main())
