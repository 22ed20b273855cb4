"""Holds the files of a release to what they have to be: wheels and the source, as paths.

A wheel: its tag, what is inside (the native module, all of the package, its types, both licences), no folder of the
machine that built it, its size, and of the stable interface nothing newer than its tag says.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "package"
LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")
LARGEST = 1_000_000
NATIVE = {
    "cp310-abi3": r"seawall/_native\.(abi3\.so|pyd)",
    "cp314-cp314t": r"seawall/_native\.(cpython-314t-[\w-]+\.so|cp314t-\w+\.pyd)",
    "cp315-abi3.abi3t": r"seawall/_native\.(abi3t[\w-]*\.so|pyd)",
}
MACHINE = re.compile(rb"/(?:root|home|Users|tmp|work)/[\w.+-]+(?:/[\w.+-]+)*")


def sources() -> set[str]:
    """What of the package is in the tree: a wheel has it all, and no more."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line for line in found.stdout.splitlines() if (PACKAGE / line).exists()}


def check_wheel(path: Path) -> list[str]:
    faults = []
    tag = next((tag for tag in NATIVE if f"-{tag}-" in path.name), None)
    if tag is None:
        return [f"its tag is none of {', '.join(NATIVE)}"]
    if path.stat().st_size > LARGEST:
        faults.append(f"{path.stat().st_size} bytes: {LARGEST} at most")
    with zipfile.ZipFile(path) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    about = next(name.split("/")[0] for name in files if name.endswith(".dist-info/WHEEL"))
    inside = {name for name in files if not name.startswith(about)}
    natives = {name for name in inside if re.fullmatch(NATIVE[tag], name)}
    if len(natives) != 1:
        faults.append(f"one native module is wanted, there are {sorted(natives)}")
    faults += [f"{name} is missing" for name in sorted(sources() - inside)]
    faults += [f"{name} is not of the package" for name in sorted(inside - natives - sources())]
    faults += [f"{name} is missing" for name in ("seawall/py.typed", "seawall/_native.pyi") if name not in inside]
    for licence in LICENCES:
        if files.get(f"{about}/licenses/{licence}") != (ROOT / licence).read_bytes():
            faults.append(f"{licence} is missing, or not the repository's")
    metadata = files[f"{about}/METADATA"].decode()
    for wanted in ("License-Expression: MIT OR Apache-2.0", "Requires-Python: >=3.10"):
        if wanted not in metadata:
            faults.append(f"its metadata do not say {wanted!r}")
    python, abis = tag.split("-")
    said = re.findall(r"^Tag: ([^-]+-[^-]+)-", files[f"{about}/WHEEL"].decode(), re.MULTILINE)
    if said != [f"{python}-{abi}" for abi in abis.split(".")]:
        faults.append(f"its tags are {said}")
    for name, content in files.items():
        faults += [f"{name} names {found.decode()}" for found in sorted(set(MACHINE.findall(content)))]
    if tag == "cp310-abi3":
        audit = subprocess.run(
            [sys.executable, "-m", "abi3audit", "--strict", "--summary", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if audit.returncode:
            faults.append(f"abi3audit: {audit.stdout}{audit.stderr}")
    return faults


def check_source(path: Path) -> list[str]:
    with tarfile.open(path) as source:
        names = {name.split("/", 1)[1] for name in source.getnames() if "/" in name}
    wanted = {"PKG-INFO", "Cargo.lock", "pyproject.toml", "core/src/lib.rs", "python/src/lib.rs", *LICENCES}
    wanted |= {f"package/{name}" for name in sources()}
    return [f"{name} is missing" for name in sorted(wanted - names)]


def main() -> int:
    failed = False
    for path in map(Path, sys.argv[1:]):
        faults = check_source(path) if path.name.endswith(".tar.gz") else check_wheel(path)
        failed |= bool(faults)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {len(faults)} faults")
        print(*(f"    {fault}" for fault in faults), sep="\n", end="\n" if faults else "")
    return failed


if __name__ == "__main__":
    sys.exit(main())
