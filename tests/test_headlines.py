"""The first page's figures carry what they rest on."""

import pandas as pd
import pytest

from compendium import headlines
from compendium.errors import InputError
from compendium.published import Published, PublishedShare

PAPER = Published("key", 487, ("R",), (PublishedShare("spinal cord", "43.7 %", (213, 213), 487),))
BESIDE = pd.DataFrame(
    {
        "class": ["spinal cord", "spinal cord"],
        "source": ["the paper", "ours"],
        "k": pd.array([213, 82], dtype="Int64"),
        "n": [487, 241],
        "share": [0.437, 0.3402],
        "low": [0.39, 0.2834],
        "high": [0.48, 0.4022],
    }
)


def test_a_share_shows_count_interval_and_the_papers_figure():
    assert headlines.share_cards(BESIDE, "ours", PAPER) == [
        ("34.0 %", "spinal cord", "82 of 241 trials, 95 % interval 28.3–40.2. The paper: 43.7 %")
    ]


def test_a_class_that_was_not_counted_is_named():
    with pytest.raises(InputError, match="no share of 'spinal cord'"):
        headlines.share_cards(BESIDE, "nobody", PAPER)


def test_the_way_from_registrations_to_trials():
    records = pd.DataFrame({"registry": ["A", "B", "B"]})
    manifest = {"kind": "known-item sample", "processed_date": "2020-07-28"}
    first, second, third = headlines.review_cards(records, records[:2], records[:1], [manifest])
    assert first[0] == "3"
    assert first[2] == "in 2 registries (known-item sample), processed 2020-07-28"
    assert (second[0], third[0]) == ("2", "1")
