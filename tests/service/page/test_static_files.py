"""The files of the page keep what its strict policy and its privacy ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.watch import REPOSITORY

STATIC = REPOSITORY / "src" / "dermoscope" / "service" / "static"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(STATIC)))
def test_file_asks_nobody_else_and_parses_no_data_as_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".html"], ids=lambda path: path.name)
def test_page_has_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_every_module_and_sheet_is_used() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in FILES if path.suffix in (".js", ".html"))
    unused = [path.name for path in FILES if path.suffix in (".js", ".css") and f"/{path.name}" not in scripts]
    assert unused == []


def test_modules_are_small() -> None:
    modules = [path for path in FILES if path.suffix in (".js", ".css") and path.name != "strings.js"]
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in modules) <= 300
