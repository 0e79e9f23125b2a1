"""What the built book says of its trials can be opened, saved and counted again."""

import csv
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import rispy

from tests.book_pages import HTML, require_book, soup

pytestmark = pytest.mark.book
LIST = "chapters/12_trial_table.html"
LANDSCAPE = "chapters/05_landscape.html"


@pytest.fixture(autouse=True)
def book():
    require_book()


def rows():
    return soup(LIST).find("div", attrs={"data-trial-list": True}).tbody.find_all("tr")


def test_the_page_of_all_trials_stays_light():
    assert (HTML / LIST).stat().st_size < 1_500_000


def test_every_share_opens_exactly_its_trials():
    labels = ["trial", "modality", "target", "condition", "status"]
    values = {name: [] for name in labels[1:]}
    for row in rows():
        for name, cell in zip(labels[1:], row.find_all("td"), strict=False):
            values[name].append(cell["data-v"].split("|"))
    opened = 0
    for paragraph in soup(LANDSCAPE).find_all("p", class_="open-trials"):
        for link in paragraph.find_all("a"):
            address = urlsplit(link["href"])
            assert (HTML / LANDSCAPE).parent / address.path == HTML / LIST
            [(name, [value])] = parse_qs(address.query).items()
            said = int(re.search(r"\(([\d,]+)\)", link.next_sibling)[1].replace(",", ""))
            assert said == sum(value in cells for cells in values[name]), (name, value)
            opened += 1
    assert opened > 20


def test_the_three_downloads_hold_the_trials_of_the_page():
    listed = sorted(row["id"].removeprefix("trial-") for row in rows())
    folder = HTML / "_static" / "downloads"
    links = [link["href"] for link in soup(LIST).find("ul", class_="downloads").find_all("a")]
    assert [link.rsplit("/", 1)[1] for link in links] == ["trials.csv", "trials.ris", "trials.json"]
    assert all(((HTML / LIST).parent / link).is_file() for link in links)
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as stream:
        assert sorted(row["lead_record_id"] for row in csv.DictReader(stream)) == listed
    entries = rispy.loads((folder / "trials.ris").read_text(encoding="utf-8"))
    assert sorted(entry["accession_number"] for entry in entries) == listed
    told = json.loads((folder / "trials.json").read_text(encoding="utf-8"))
    assert sorted(trial["lead_record_id"] for trial in told["trials"]) == listed
    assert all(source["attribution"] for source in told["sources"])


def test_the_flow_on_the_page_adds_up():
    steps = [
        [int(re.sub(r"\D", "", box.strong.get_text())) for box in step.find_all("div", "flow-box")]
        for step in soup("chapters/03_screening.html")
        .find("ol", class_="flow-steps")
        .find_all("li", "flow-step")
    ]
    (found, aside, joined), *screened, (included,) = steps
    left = found - aside - joined
    for here, *leaving in screened:
        assert here == left
        left -= sum(leaving)
    assert left == included == len(rows())
