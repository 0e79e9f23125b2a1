"""The built book as a person meets it: in a browser, light and dark, wide and on a phone."""

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from tests.book_pages import HTML, browser_path, launch, pages, require_book, soup

pytestmark = [pytest.mark.book, pytest.mark.browser]
# the glyph of an icon font counts as text for this rule, which no eye or screen reader meets
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "rules": {"label-content-name-mismatch": {"enabled": False}},
    "resultTypes": ["violations"],
}
# names that an axis left out because they had no room; of years in a row some may be left out
LEFT_OUT = """(where) => [...document.querySelectorAll(where
    + " [aria-label*='for a discrete scale'] .role-axis-label text[opacity='0']")]
    .filter((e) => !/^\\d{4}$/.test(e.textContent))
    .map((e) => e.closest('figure').id + ': ' + e.textContent)"""
STILL = "*{transition:none!important;animation:none!important;scroll-behavior:auto!important}"


@pytest.fixture(scope="module")
def browser():
    require_book()
    browser_path()
    with sync_playwright() as playwright:
        yield from launch(playwright)


def visit(context, page):
    """Open a page, bring every chart into view until it is drawn, and note what went wrong."""
    trouble = []
    tab = context.new_page()
    tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    tab.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    tab.on("requestfailed", lambda request: trouble.append(f"failed: {request.url}"))
    tab.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:", "blob:"))
            else trouble.append(f"left the page: {request.url}")
        ),
    )
    tab.goto((HTML / page).as_uri())
    tab.add_style_tag(content=STILL)
    # a chart is drawn when it comes near: on a busy machine a glance in passing is not enough
    late = tab.evaluate(
        """async () => {
            const late = [];
            for (const figure of document.querySelectorAll('figure.chart')) {
                figure.scrollIntoView({ block: 'center' });
                const limit = performance.now() + 60_000;
                while (!figure.dataset.drawn && performance.now() < limit) {
                    await new Promise((done) => setTimeout(done, 25));
                }
                if (!figure.dataset.drawn) late.push(figure.id);
            }
            scrollTo(0, 0);
            return late;
        }"""
    )
    assert late == [], trouble
    return tab, trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", pages())
def test_a_page_is_whole_and_accessible(browser, page, scheme):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    tab, trouble = visit(context, page)
    assert trouble == []
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    charts = tab.evaluate(
        """[...document.querySelectorAll('figure.chart')].map((figure) => ({
            id: figure.id, drawn: figure.dataset.drawn,
            live: figure.querySelectorAll('.chart-live svg').length,
            still: figure.querySelectorAll('.chart-canvas > svg').length}))"""
    )
    for chart in charts:
        assert (chart["drawn"], chart["live"], chart["still"]) == (scheme, 1, 0), chart
    assert tab.evaluate(LEFT_OUT, ".chart-live") == []
    found = Axe().run(tab, options=AXE).response["violations"]
    told = [
        f"{v['id']}: {n['html'][:160]} — {n.get('failureSummary', '')[:220]}"
        for v in found
        for n in v["nodes"]
    ]
    context.close()
    assert told == [], "\n".join(told[:12])


@pytest.mark.parametrize("page", pages())
def test_a_phone_shows_a_page_without_sideways_scrolling(browser, page):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    tab, trouble = visit(context, page)
    assert trouble == []
    wide = tab.evaluate(
        """() => {
            const limit = document.documentElement.clientWidth + 1;
            const inside = (e) => e.closest('.table-frame, .chart-canvas, .picture-frame, pre, '
                + '.pst-scrollable-table-container, mjx-container, dialog, '
                + '.bd-sidebar-primary, .bd-sidebar-secondary');
            return [...document.querySelectorAll('.bd-main *')]
                .filter((e) => e.getBoundingClientRect().right > limit && !inside(e))
                .map((e) => e.tagName + '.' + e.className).slice(0, 5);
        }"""
    )
    overflow = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    cut = tab.evaluate(
        """[...document.querySelectorAll('.chart-live text')]
            .map((e) => e.textContent).filter((words) => words.endsWith('…'))"""
    )
    left_out = tab.evaluate(LEFT_OUT, ".chart-live")
    context.close()
    assert overflow <= 0, wide
    assert wide == []
    assert cut == []
    assert left_out == []


def test_charts_follow_the_mode_switch(browser):
    page = next(p for p in pages() if soup(p).find("figure", class_="chart"))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab, trouble = visit(context, page)
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    tab.wait_for_function(
        "[...document.querySelectorAll('figure.chart')].every(f => f.dataset.drawn === 'dark')",
        timeout=30_000,
    )
    assert tab.locator("figure.chart .chart-live").count() == tab.locator("figure.chart").count()
    context.close()
    assert trouble == []


def test_charts_follow_the_width_of_the_page_and_can_be_taken_away(browser):
    page = next(p for p in pages() if soup(p).find("figure", class_="chart"))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab, trouble = visit(context, page)
    # a side bar takes room without a word to the window
    tab.evaluate("document.querySelector('.bd-article').style.maxWidth = '420px'")
    tab.wait_for_function(
        "[...document.querySelectorAll('.chart-live svg')].every(s => s.clientWidth <= 420)",
        timeout=10_000,
    )
    link = tab.locator('figure.chart a[download$=".svg"]').first
    with tab.expect_download() as saved:
        link.click()
    picture = Path(saved.value.path()).read_text(encoding="utf-8")
    context.close()
    assert picture.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in picture
    assert trouble == []


def test_without_scripts_every_chart_is_still_there(browser):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    left_out = []
    for page in (p for p in pages() if soup(p).find("figure", class_="chart")):
        tab.goto((HTML / page).as_uri())
        box = tab.locator("figure.chart .chart-canvas > svg").first.bounding_box()
        assert box["width"] > 200
        left_out += tab.evaluate(LEFT_OUT, ".chart-canvas > svg")
    context.close()
    assert left_out == []
    assert box["height"] > 40


def test_the_keyboard_reaches_search_contents_and_data(browser):
    page = next(p for p in pages() if soup(p).find("figure", class_="chart"))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab, _ = visit(context, page)
    reached = set()
    for _ in range(90):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate(
                "(e => e ? (e.className || e.tagName).toString() : '')(document.activeElement)"
            )
        )
    context.close()
    words = json.dumps(sorted(reached))
    assert "search-button" in words
    assert "data-link" in words or "table-frame" in words


def test_the_search_finds_a_word_of_the_book(browser):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto((HTML / "search.html").as_uri() + "?q=neuromodulation")
    tab.wait_for_selector("#search-results li", timeout=30_000)
    assert tab.locator("#search-results li").count() >= 1
    context.close()


def test_a_viewer_opens_on_demand_and_stays_on_this_host(browser):
    with_viewer = [p for p in pages() if soup(p).find(class_="viewer-button")]
    if not with_viewer:
        pytest.skip("this book has no interactive brain")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab, trouble = visit(context, with_viewer[0])
    tab.locator(".viewer-button").first.click()
    frame = tab.frame_locator(".viewer-frame").first
    frame.locator("body[data-ready=yes]").wait_for(state="attached", timeout=60_000)
    context.close()
    assert trouble == []
