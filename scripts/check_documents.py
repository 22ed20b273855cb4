"""Holds the documents to the tree: every command, link and proof that one names has to exist.

Commands are the lines of fenced `sh` blocks. Links are relative ones. Proofs are the `folder/file::name` of any
document: the file exists and the name occurs in it as a word.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PROOF = re.compile(r"`([\w./-]+/[\w./-]+)::(\w+)`")


def git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()


FILES = set(git("ls-files", "--cached", "--others", "--exclude-standard"))
FOLDERS = {str(folder) for file in FILES for folder in Path(file).parents}


def cargo_names() -> dict[str, set[str]]:
    """What cargo's -p, --bin, --example, --bench and --test may name, over all workspaces of the tree."""
    names: dict[str, set[str]] = {kind: set() for kind in ("package", "bin", "example", "bench", "test")}
    for manifest in sorted(file for file in FILES if Path(file).name == "Cargo.toml"):
        if "[workspace]" not in (ROOT / manifest).read_text():
            continue
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path", str(ROOT / manifest)]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        for package in found["packages"]:
            names["package"].add(package["name"])
            for a_target in package["targets"]:
                for kind in a_target["kind"]:
                    names.setdefault(kind, set()).add(a_target["name"])
    return names


def exists(path: str) -> bool:
    path = path.removeprefix("./").rstrip("/")
    # What git ignores is built or written by a command.
    return path in FILES or path in FOLDERS or bool(git("check-ignore", path)) or bool(git("check-ignore", path + "/"))


def check_command(line: str, names: dict[str, set[str]]) -> list[str]:
    faults = []
    words = shlex.split(line.removeprefix("$ "), comments=True)
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words.pop(0)
    if not words:
        return []
    program = words[0]
    path = ROOT / program
    if "/" in program and (not exists(program) or (path.is_file() and not path.stat().st_mode & 0o100)):
        faults.append(f"{program} is no program of this tree")
    for word in words[1:]:
        top = word.removeprefix("./").split("/")[0]
        if ("/" in word or word.startswith(".")) and (word.startswith("./") or top in FOLDERS) and not exists(word):
            faults.append(f"{word} does not exist")
    if program in ("scripts/test", "scripts/test-long", "scripts/firmware"):
        text = (ROOT / program).read_text()
        faults += [f"{program} has no stage {word}" for word in words[1:] if f"\n{word}() {{" not in text]
    if program == "cargo":
        options = {"-p": "package", "--package": "package"} | {f"--{k}": k for k in ("bin", "example", "bench", "test")}
        for option, value in zip(words, words[1:]):
            if option in options and value not in names[options[option]]:
                faults.append(f"cargo knows no {options[option]} {value}")
    return faults


def check_proofs(text: str) -> list[str]:
    faults = []
    for path, name in PROOF.findall(text):
        if path not in FILES:
            faults.append(f"{path}::{name}: there is no such file")
        elif not re.search(rf"\b{name}\b", (ROOT / path).read_text()):
            faults.append(f"{path}::{name}: the file has no such name")
    return faults


def check_rows(text: str) -> list[str]:
    faults = []
    for row in re.findall(r"^\|(.*)\|\s*$", text, re.MULTILINE):
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) != 3 or not all(cells):
            faults.append(f"a row needs a promise, a proof and a command: {row.strip()}")
    return faults


def main() -> int:
    names = cargo_names()
    faults = []
    commands = links = proofs = 0
    for file in sorted(file for file in FILES if file.endswith(".md")):
        text = (ROOT / file).read_text()
        for block in FENCE.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                commands += 1
                faults += [f"{file}: {fault}: {line}" for fault in check_command(line.strip(), names)]
        for link in LINK.findall(CODE.sub("", text)):
            if "://" in link or link.startswith("mailto:"):
                continue
            links += 1
            inside = (ROOT / file).parent.joinpath(link).resolve()
            if not inside.is_relative_to(ROOT) or not exists(str(inside.relative_to(ROOT))):
                faults.append(f"{file}: the link {link} leads nowhere")
        proofs += len(PROOF.findall(text))
        faults += [f"{file}: {fault}" for fault in check_proofs(text)]
        if file == "docs/GUARANTEES.md":
            faults += [f"{file}: {fault}" for fault in check_rows(text)]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{commands} commands, {links} links and {proofs} proofs looked up, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
