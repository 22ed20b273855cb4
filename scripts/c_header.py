"""What include/seawall.h declares, as the scripts read it: it is made by cbindgen, so its form is always the same.

    python3 scripts/c_header.py functions      the names of its functions, one a line
    python3 scripts/c_header.py initialisers   C that begins a configuration with each of its _INIT macros
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "include" / "seawall.h"
FUNCTION = re.compile(r"^(?:SEAWALL_MUST_USE )?(?P<returns>.*?[ *])(?P<name>seawall_\w+)\((?P<parameters>.*)\);$")
STRUCT = re.compile(r"^typedef struct(?: \w+)? \{\n(.*?)^\} (\w+);", re.MULTILINE | re.DOTALL)
OPAQUE = re.compile(r"^typedef struct (\w+) (\w+);", re.MULTILINE)
ALIAS = re.compile(r"^typedef (\w+) (\w+);", re.MULTILINE)
MACRO = re.compile(r"^#define (SEAWALL_\w+)(\(.*?\))?(?: *\\\n)? *(.*)$", re.MULTILINE)


@dataclass
class Function:
    name: str
    # Without the names of the parameters.
    prototype: str
    comment: str


@dataclass
class Struct:
    name: str
    # The name and the declaration of each field.
    fields: list[tuple[str, str]]


def text() -> str:
    return HEADER.read_text()


def without_comments(source: str) -> str:
    source = re.sub(r"/\*.*?\*/", " ", source, flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", source)


def functions(header: str | None = None) -> list[Function]:
    found, comment, code = [], [], ""
    body = (header or text()).split('extern "C" {\n', 1)[1].split("#ifdef __cplusplus", 1)[0]
    for line in body.splitlines():
        if line.startswith("///"):
            comment.append(line.removeprefix("///").strip())
        elif line and not line.startswith("#"):
            code = f"{code} {line.strip()}".strip()
            if code.endswith(";"):
                match = FUNCTION.match(code)
                if not match:
                    sys.exit(f"{HEADER.name}: not understood: {code}")
                types = [re.sub(r"(?<=[ *])\w+$", "", part.strip()).strip() for part in match["parameters"].split(",")]
                prototype = f"{match['returns']}{match['name']}({', '.join(types) or 'void'})"
                found.append(Function(match["name"], prototype, "\n".join(comment)))
                comment, code = [], ""
    return found


def structs(header: str | None = None) -> list[Struct]:
    found = []
    for body, name in STRUCT.findall(header or text()):
        fields = []
        for declaration in without_comments(body).split(";")[:-1]:
            declaration = re.sub(r"\s+", " ", declaration).strip()
            field = re.search(r"\(\*(\w+)\)", declaration) or re.search(r"(\w+)(?:\[[^]]*\])*$", declaration)
            fields.append((field[1], declaration))
        found.append(Struct(name, fields))
    return found


def opaques(header: str | None = None) -> list[str]:
    """Types that only have pointers."""
    return [name for _, name in OPAQUE.findall(header or text())]


def aliases(header: str | None = None) -> list[tuple[str, str]]:
    return [(name, of) for of, name in ALIAS.findall(header or text()) if of not in ("struct", "enum", "union")]


def constants(header: str | None = None) -> list[str]:
    """Macros that are numbers."""
    return [name for name, parameters, value in MACRO.findall(header or text()) if not parameters and value and value[0] not in "{_"]


def initialisers(header: str | None = None) -> list[str]:
    """Macros that begin a configuration."""
    return [name for name, parameters, value in MACRO.findall(header or text()) if not parameters and value.startswith("{")]


def type_of(initialiser: str) -> str | None:
    """The struct for which an `_INIT` macro is, by its name."""
    name = initialiser.lower().removesuffix("_init") + "_t"
    return name if any(struct.name == name for struct in structs()) else None


def main() -> None:
    if sys.argv[1:] == ["functions"]:
        print(*sorted(function.name for function in functions()), sep="\n")
    elif sys.argv[1:] == ["initialisers"]:
        for name in initialisers():
            if type_of(name):
                print(f"extern const {type_of(name)} {name.lower()}; const {type_of(name)} {name.lower()} = {name};")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
