"""The built book, read as files: nothing missing, nothing from elsewhere, nothing unexplained."""

import base64
import io
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pandas as pd
import pytest

from tests.book_pages import HTML, ROOT, pages, require_book, soup

pytestmark = pytest.mark.book
EXECUTED = ROOT / "_build" / "executed"


@pytest.fixture(autouse=True)
def book():
    require_book()


def sources():
    """Chapters in the book's source, by name."""
    found = {}
    for path in sorted((ROOT / "book").rglob("*.md")):
        if "jupytext:" in path.read_text(encoding="utf-8")[:400]:
            found[path.stem] = path
    return found


def test_every_chapter_was_executed_and_none_went_wrong():
    assert {p.stem for p in EXECUTED.glob("*.ipynb")} == set(sources())
    for path in EXECUTED.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            assert cell.execution_count, (path.name, cell.id)
            for output in cell.outputs:
                assert output.output_type != "error", path.name
                assert output.get("name") != "stderr", path.name


def test_every_chapter_left_its_provenance():
    for name in sources():
        record = json.loads((EXECUTED / f"{name}.json").read_text())
        assert {"parameters", "inputs", "outputs", "versions", "seconds"} <= set(record)
        for digest in [*record["inputs"].values(), *record["outputs"].values()]:
            assert re.fullmatch("[0-9a-f]{64}", digest)


def test_every_page_of_the_contents_was_built():
    built = set(pages())
    listed = re.findall(r"(?:file|root): (\S+)", (ROOT / "book" / "_toc.yml").read_text())
    assert {f"{name}.html" for name in listed} == built
    # every chapter that exists is in the contents
    for name, path in sources().items():
        assert path.relative_to(ROOT / "book").with_suffix("").as_posix() in listed, name


def test_every_internal_link_and_anchor_leads_somewhere():
    broken = []
    for page in pages():
        for element in soup(page).find_all(["a", "img", "script", "link", "iframe"]):
            address = element.get("href") or element.get("src") or ""
            if re.match(r"(https?:|data:|mailto:|javascript:)", address) or not address:
                continue
            path, fragment = urldefrag(unquote(address))
            path = path.split("?")[0]
            target = (HTML / page).parent / path if path else HTML / page
            if not target.exists():
                broken.append(f"{page}: {address}")
            elif fragment and target.suffix == ".html":
                name = target.resolve().relative_to(HTML.resolve()).as_posix()
                if not soup(name).find(id=fragment):
                    broken.append(f"{page}: {address} (no such anchor)")
    assert broken == []


def test_no_page_loads_anything_from_elsewhere():
    loads = []
    for page in pages():
        for element in soup(page).find_all(["script", "img", "iframe", "source", "link", "embed"]):
            if element.name == "link" and not {"stylesheet", "icon", "preload", "preconnect"} & set(
                element.get("rel", [])
            ):
                continue
            address = element.get("src") or element.get("href") or ""
            if address.startswith(("http:", "https:", "//")):
                loads.append(f"{page}: {address}")
    assert loads == []


def test_every_picture_and_chart_has_words():
    for page in pages():
        for image in soup(page).find_all("img"):
            assert image.get("alt") is not None, (page, str(image)[:120])
        for figure in soup(page).find_all("figure", class_=["chart", "picture"]):
            picture = figure.find(["img", "div"], attrs={"alt": True}) or figure.find(role="img")
            words = picture.get("alt") or picture.get("aria-label")
            assert len(words) > 20, (page, figure.get("id"))
            assert len(figure.find("figcaption").get_text(strip=True)) > 20, (page, figure["id"])


def test_every_chart_offers_its_data_and_carries_few_rows():
    for page in pages():
        for figure in soup(page).find_all("figure", class_="chart"):
            spec = json.loads(figure.find("script", class_="chart-spec").string)
            rows = sum(len(rows) for rows in spec.get("datasets", {}).values())
            assert rows <= 2000, (page, figure["id"])
            assert figure.find("a", class_="data-link"), (page, figure["id"])
            assert figure.find("svg"), (page, figure["id"])


def test_every_simulated_map_recovers_the_truth():
    link = soup("chapters/07_connectome.html").select_one("#fig-recovery a.data-link")
    table = pd.read_csv(io.BytesIO(base64.b64decode(link["href"].partition("base64,")[2])))
    assert len(table) >= 20
    assert table.loc[table["with_truth"] < 0.97, ["seed", "with_truth"]].empty


def test_no_id_occurs_twice_on_a_page():
    for page in pages():
        ids = [e["id"] for e in soup(page).find_all(id=True)]
        doubles = {i for i in ids if ids.count(i) > 1}
        assert not doubles, (page, sorted(doubles)[:5])


def test_every_table_has_a_caption_and_scoped_heads():
    for page in pages():
        for table in soup(page).find_all("table", class_="data-table"):
            assert table.caption.get_text(strip=True), page
            assert all(h.get("scope") for h in table.find_all("th")), page


def test_no_glue_is_left_unfilled_and_no_cell_shows_a_python_object():
    for page in pages():
        text = soup(page).find("article").get_text()
        assert "{glue" not in text, page
        assert not re.search(r"<[\w.]+ object at 0x", text), page


def test_no_bound_number_is_also_typed():
    """What the run bound to a name must not stand in the prose by hand as well."""
    known = {"487", "49.3", "43.7", "240", "213"}  # the paper's own
    number = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+\.\d+|\d{3,})(?![\w]|[.,]\d)")
    block = re.compile(r"^(`{3,}|:{3,})\{(exercise|solution)\}.*?^\1", re.M | re.S)
    for name in sources():
        notebook = nbformat.read(EXECUTED / f"{name}.ipynb", as_version=4)
        bound = set()
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if any("papermill.record" in key for key in output.get("data", {})):
                    bound |= set(number.findall(json.dumps(output["data"])))
        for cell in notebook.cells:
            if cell.cell_type != "markdown":
                continue
            prose = re.sub(
                r"\{[\w:]+\}`[^`]*`|`[^`]*`|\([^)\s]*\)", " ", block.sub("", cell.source)
            )
            typed = {n for n in number.findall(prose) if not re.fullmatch("(19|20)\\d\\d", n)}
            round_numbers = {n for n in typed if re.fullmatch("10+(,000)*", n)}
            assert not (typed & bound) - known - round_numbers, name


def test_no_path_of_the_building_machine_is_published():
    for path in HTML.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".js", ".json", ".txt"):
            assert str(ROOT) not in path.read_text(encoding="utf-8", errors="ignore"), path.name
    # what Sphinx notes for itself differs from folder to folder
    assert not (HTML / ".buildinfo").exists()


def test_viewers_named_on_a_page_are_there():
    for page in pages():
        for button in soup(page).find_all(class_="viewer-button"):
            assert (HTML / "_static" / "views" / Path(button["data-viewer"]).name).is_file()
