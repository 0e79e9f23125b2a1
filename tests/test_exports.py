import json

import pandas as pd
import pytest
import rispy
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from compendium.exports import json_text, ris_text, write_exports
from compendium.landscape import ATTRIBUTES, trial_labels, trial_table
from compendium.statistics import share_table
from compendium.tables import read_table
from compendium.trial_list import open_trials, trial_list_markup
from tests.book_pages import browser_path, launch

HOSTILE = '</td><script>alert("x")</script>\u202egnp\r\nER  - '
SNAPSHOTS = {
    "now": {
        "processed_date": "2020-07-28",
        "registry": "ClinicalTrials.gov",
        "attribution": "the registry",
        "modified": "no",
        "licence": "terms",
        "coverage": "a sample",
    }
}


@pytest.fixture(scope="module")
def listed():
    n = 4
    records = pd.DataFrame(
        {name: pd.array([pd.NA] * n, dtype="string") for name in ("record_id", *ATTRIBUTES)}
    )
    records["record_id"] = ["NCT1", "ISRCTN2", "NCT3", "NCT4"]
    records["registry"] = ["ClinicalTrials.gov", "ISRCTN", "ClinicalTrials.gov", "ChiCTR"]
    records["snapshot_id"] = "now"
    records["public_title"] = ["rTMS for pain", "Brain <b>pacing</b>", HOSTILE, pd.NA]
    records["url"] = ["https://example.org/NCT1", pd.NA, "javascript:alert(1)", pd.NA]
    records["status"] = ["COMPLETED", pd.NA, "RECRUITING", "COMPLETED"]
    records["start"] = ["2012-05", pd.NA, "2019", "2009-01-02"]
    records["enrolment"] = pd.array([120, pd.NA, 9, 30], dtype="Int64")
    records["countries"] = [("CAN", "FRA"), (), (), ("CHN",)]
    trials = pd.DataFrame(
        {
            "trial_id": ["T-NCT1", "T-NCT3", "T-NCT4"],
            "record_ids": [("ISRCTN2", "NCT1"), ("NCT3",), ("NCT4",)],
            "registries": [("ISRCTN", "ClinicalTrials.gov"), ("ClinicalTrials.gov",), ("ChiCTR",)],
            "lead_record_id": ["NCT1", "NCT3", "NCT4"],
        }
    )
    verdicts = pd.DataFrame(
        {"trial_id": trials["trial_id"], "decision": "include", "decided_by": "rule"}
    )
    rows = [
        ("NCT1", "modality", "rTMS", "m-1", "public_title", "rTMS", "rule"),
        ("NCT1", "condition", "CRPS", pd.NA, pd.NA, "CRPS", "coder-a"),
        ("NCT3", "modality", "SCS", "m-2", "intervention_names[0]", HOSTILE, "rule"),
        ("NCT3", "condition", "not stated", pd.NA, pd.NA, pd.NA, "rule"),
        ("NCT4", "modality", "rTMS", "m-1", "public_title", "rTMS", "rule"),
        ("NCT4", "modality", "tDCS", "m-3", "public_title", "tDCS", "rule"),
    ]
    columns = ["record_id", "variable", "value", "rule_id", "field", "matched", "made_by"]
    labels = pd.DataFrame(rows, columns=columns).astype("string")
    for variable in ("target", "comparator"):
        extra = labels[labels["variable"] == "condition"].assign(variable=variable, value="sham")
        labels = pd.concat([labels, extra], ignore_index=True)
    table = trial_table(trials, records, verdicts, labels, SNAPSHOTS)
    return table, trial_labels(table, labels)


def test_one_ris_entry_a_trial_and_it_reads_back(listed):
    table, _ = listed
    entries = rispy.loads(ris_text(table))
    assert [entry["accession_number"] for entry in entries] == table["lead_record_id"].tolist()
    first, hostile, untitled = entries
    assert first["name_of_database"] == "ClinicalTrials.gov"
    assert first["custom1"] == "ISRCTN2"
    assert first["year"] == "2012"
    assert first["keywords"][0] == "modality: rTMS"
    assert first["urls"] == ["https://example.org/NCT1"]
    assert "ER  -" not in hostile["title"]
    assert hostile["title"].startswith("</td><script>")
    assert hostile["urls"][0].startswith("https://trialsearch.who.int/")
    assert "title" not in untitled


def test_the_three_files_hold_the_same_trials(listed, tmp_path):
    table, evidence = listed
    csv, ris, js = write_exports(table, evidence, SNAPSHOTS, tmp_path / "downloads")
    lists = ("record_ids", "registries", "countries", "modality", "condition")
    back = read_table(csv, lists=lists, integers=("enrolment",))
    assert back["modality"].tolist() == table["modality"].tolist()
    told = json.loads(js.read_text(encoding="utf-8"))
    assert [trial["trial_id"] for trial in told["trials"]] == back["trial_id"].tolist()
    assert told["sources"][0]["attribution"] == "the registry"
    assert told["trials"][0]["phase"] is None
    assert told["trials"][0]["enrolment"] == 120
    assert [one["matched"] for one in told["trials"][2]["evidence"]] == ["rTMS", "tDCS"]
    assert len(rispy.loads(ris.read_text(encoding="utf-8"))) == len(back)
    assert json_text(table, evidence, SNAPSHOTS) == js.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def markup(listed):
    titles = {"modality": "Modality", "condition": "Condition"}
    return trial_list_markup(*listed, caption="All 3 trials & more", titles=titles)


def test_the_list_is_whole_without_a_script(markup):
    page = BeautifulSoup(markup, "html.parser")
    assert page.caption.get_text() == "All 3 trials & more"
    rows = page.tbody.find_all("tr")
    assert [row["id"] for row in rows] == ["trial-NCT3", "trial-NCT1", "trial-NCT4"]
    assert page.find("script") is None
    assert all(link["href"].startswith("https://") for link in page.find_all("a"))
    heads = [head.get_text() for head in page.thead.find_all("th")]
    assert heads == ["Trial", "Modality", "Target", "Condition", "Status", "Start", "Size"]
    for row in rows:
        assert len(row.find_all(["th", "td"], recursive=False)) == len(heads)
    hostile, first, untitled = rows
    assert "<script>" in hostile.bdi.get_text()
    assert hostile.q.get_text().startswith("</td><script>")
    assert "title not stated" in untitled.get_text()
    details = first.details.get_text(" ")
    assert "Also registered as ISRCTN2" in details
    assert "Canada, France" in details
    assert "read by coder-a" in details
    assert "rule m-1" in details


def test_a_share_leads_to_its_trials():
    table = pd.DataFrame({"modality": [("rTMS",), ("a & b",)]})
    page = BeautifulSoup(open_trials(share_table(table, "modality"), "modality"), "html.parser")
    assert [link["href"] for link in page.find_all("a")] == [
        "12_trial_table.html?modality=a+%26+b",
        "12_trial_table.html?modality=rTMS",
    ]


@pytest.fixture(scope="module")
def browser():
    browser_path()
    with sync_playwright() as playwright:
        yield from launch(playwright)


@pytest.mark.browser
def test_the_list_in_a_browser_searches_filters_and_sorts_by_keyboard(
    markup, root, tmp_path, browser
):
    assets = root / "src" / "compendium" / "assets"
    css = "".join((assets / name).read_text() for name in ("book.css", "trial-list.css"))
    script = (assets / "trial-list.js").read_text()
    path = tmp_path / "list.html"
    path.write_text(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Trials</title>'
        f"<style>{css}</style></head><body><main><h1>Trials</h1>{markup}</main>"
        f"<script>{script}</script></body></html>",
        encoding="utf-8",
    )
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{path.as_uri()}?modality=rTMS")
    count = page.get_by_role("status")
    count.get_by_text("2 of 3 trials").wait_for()
    assert page.get_by_label("Modality").input_value() == "rTMS"
    page.get_by_label("Search").fill("tdcs NCT4")
    count.get_by_text("1 of 3 trials").wait_for()
    page.get_by_role("button", name="Show all").click()
    count.get_by_text("All 3 trials").wait_for()

    def order():
        return page.locator("tbody tr").evaluate_all("rows => rows.map(r => r.id.slice(6))")

    page.get_by_role("button", name="Size").focus()
    page.keyboard.press("Enter")
    assert order() == ["NCT3", "NCT4", "NCT1"]
    assert page.locator('th[aria-sort="ascending"]').inner_text().startswith("Size")
    page.keyboard.press("Enter")
    assert order() == ["NCT1", "NCT4", "NCT3"]
    assert page.locator("th[aria-sort]").count() == 1
    page.get_by_role("button", name="Trial").click()
    assert order() == ["NCT1", "NCT3", "NCT4"]

    for width in (1000, 390):
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
        assert not found.response["violations"], found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not faults
