"""Holds include/seawall.h to what the rules of the face say of every function, whatever it does.

- A C test calls it, and a C test begins a configuration with every `_INIT` macro.
- Its comment has a `Threads:` and a `Returns:`, and names only what is there.
- No mark of a merge stands in it.
"""

import re
import sys

import c_header

TESTS = c_header.HEADER.parent.parent / "ffi" / "tests" / "c"


def main() -> int:
    code = "\n".join(c_header.without_comments(path.read_text()) for path in sorted(TESTS.glob("*.[ch]")))
    functions, initialisers = c_header.functions(), c_header.initialisers()
    header = c_header.text()
    known = set(re.findall(r"\b(?:seawall|SEAWALL)_\w+", c_header.without_comments(header)))
    faults = []
    for function in functions:
        if not re.search(rf"\b{function.name}\(", code):
            faults.append(f"{function.name}: no program of ffi/tests/c calls it")
        faults += [
            f"{function.name}: its comment has no `{word}`"
            for word in ("Threads:", "Returns:")
            if not re.search(rf"(^|\. ){word} ", function.comment, re.MULTILINE)
        ]
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
