"""Holds the public face of the core to its word: each item has a summary and an example that runs.

The public face is what core/src/lib.rs re-exports, and the public functions, methods and constants of those types. An
example stands on the item itself. A constant, and a method that takes `self` and gives it back changed, may leave it to
their type. Fields and variants have their summary by the compiler's `missing_docs`.
"""

import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "core" / "src"
ITEM = re.compile(r"^\s*pub (?:const |async )*(fn|struct|enum|trait|const|type)\s+(\w+)")
IMPL = re.compile(r"^impl(?:<.*?>)?\s+(?:[\w:<>, ]+\s+for\s+)?(\w+)")
BUILDER = re.compile(r"\(\s*(?:mut )?self\b[^)]*\)\s*->\s*Self\b")


def public_names() -> set[str]:
    text = (SOURCE / "lib.rs").read_text()
    names = set()
    for cfg, path in re.findall(r"^(#\[cfg\(seawall_loom\)\]\n)?pub use ([^;]+);", text, re.MULTILINE):
        if not cfg:
            names |= set(re.findall(r"\w+", path.split("::", 1)[1]))
    return names


def documentation(lines: list[str], at: int) -> str:
    """The doc comment above line `at`, past the attributes in between."""
    found = []
    depth = 0
    for line in reversed(lines[:at]):
        line = line.strip()
        if line.startswith("///"):
            found.append(line[3:].strip())
        elif depth or line.startswith("#[") or line.endswith(")]"):
            # An attribute, over as many lines as it takes.
            depth += line.count("]") - line.count("[")
        elif not line.startswith("//"):
            break
    return "\n".join(reversed(found))


def items(path: Path) -> list[tuple[int, str, str, str, str]]:
    """Line, kind, owner (empty for an item of the module), name and documentation of each public item."""
    # Unit tests stand at the end.
    lines = re.split(r"^#\[cfg\((?:all\()?test", path.read_text(), maxsplit=1, flags=re.MULTILINE)[0].splitlines()
    found, owner = [], ""
    for at, line in enumerate(lines):
        if line.startswith("}"):
            owner = ""
        if (implemented := IMPL.match(line)) and not line.endswith("}"):
            owner = implemented[1]
        if item := ITEM.match(line):
            kind, name = item.groups()
            if kind == "fn" and BUILDER.search(" ".join(lines[at : at + 3])):
                kind = "builder"
            found.append((at + 1, kind, owner, name, documentation(lines, at)))
    return found


def main() -> int:
    names = public_names()
    found = {path: items(path) for path in sorted(SOURCE.rglob("*.rs"))}
    with_example = {
        name for every in found.values() for _, _, owner, name, text in every if not owner and "```" in text
    }
    seen, faults, count = set(), [], 0
    for path, every in found.items():
        for line, kind, owner, name, text in every:
            if (owner or name) not in names:
                continue
            seen.add(name)
            count += 1
            here = f"{path.relative_to(SOURCE.parent.parent)}:{line}: {owner + '::' if owner else ''}{name}"
            if not text.split("```")[0].strip():
                faults.append(f"{here} has no summary")
            if "```" not in text and not (kind in ("const", "builder") and owner in with_example):
                faults.append(f"{here} has no example")
    faults += [f"core/src/lib.rs: {name} is exported, and was not found" for name in sorted(names - seen)]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{count} public items looked at, {len(faults)} without a summary or an example")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
