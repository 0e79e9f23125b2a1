"""The built book as tests see it."""

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
# pages that Sphinx makes for itself
ODD = ("genindex.html", "search.html")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def pages() -> list[str]:
    """Addresses of all pages, relative to the book's root."""
    if not (HTML / "index.html").is_file():
        return []
    names = (p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html"))
    return sorted(n for n in names if not n.startswith("_") and n not in ODD and n != "index.html")


@cache
def soup(page: str) -> BeautifulSoup:
    """Return one page, parsed."""
    return BeautifulSoup((HTML / page).read_text(encoding="utf-8"), "html.parser")


def require_book() -> None:
    """Skip where the book has not been built."""
    if not pages():
        pytest.skip("the book is not built here; `make book` builds it")


def browser_path() -> str:
    """Return the Chromium of this machine, or skip; where one is required, fail instead."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found:
        return found
    if os.environ.get("COMPENDIUM_REQUIRE_BROWSER"):
        pytest.fail("a browser is required here and there is none")
    pytest.skip("no Chromium on this machine")


def launch(playwright) -> Iterator:
    """Yield one headless browser."""
    browser = playwright.chromium.launch(executable_path=browser_path(), args=list(BROWSER_FLAGS))
    yield browser
    browser.close()
