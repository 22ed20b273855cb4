"""What is installed: its licences, its version, its types, and that it asks for nothing else."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

import seawall

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = metadata.distribution("seawall")


@pytest.mark.parametrize("licence", ["LICENSE-APACHE", "LICENSE-MIT"])
def test_the_licences_beside_the_package_and_in_it_are_the_repository_s(licence: str) -> None:
    # A link would be left out of the source distribution.
    text = (ROOT / licence).read_text()
    assert (ROOT / "python" / licence).read_text() == text
    assert not (ROOT / "python" / licence).is_symlink()
    assert INSTALLED.read_text(f"licenses/{licence}") == text


def test_there_is_one_version() -> None:
    workspace = re.search(r'^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert workspace is not None
    assert seawall.__version__ == INSTALLED.version == workspace[1]


def test_it_depends_on_nothing() -> None:
    assert [needed for needed in INSTALLED.requires or [] if "extra ==" not in needed] == []


def test_it_is_typed() -> None:
    package = Path(seawall.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "_native.pyi").exists()


@pytest.mark.parametrize("name", [name for name in seawall.__all__ if isinstance(getattr(seawall, name), type)])
def test_a_public_class_says_that_it_is_of_the_package(name: str) -> None:
    assert getattr(seawall, name).__module__ == "seawall"
    assert getattr(seawall, name).__name__ == name
