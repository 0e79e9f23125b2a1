import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.charts.flow import flow_diagram, flow_words
from compendium.errors import InputError
from compendium.events import EVENT_COLUMNS, append_events, log_events, standing_events
from compendium.flow import ARROWS, box_total, check_balance, flow_steps, prisma_flow
from compendium.verdicts import reader_decisions, trial_verdicts

SNAPSHOTS = {
    "now": {"processed_date": "2020-07-28", "registry": "ClinicalTrials.gov"},
    "other": {"processed_date": "2021-01-02", "registry": "WHO ICTRP"},
}
REGISTRIES = ("ClinicalTrials.gov", "ISRCTN", "ChiCTR")
DECIDED = st.sampled_from(["include", "unsure", "exclude"])


def tables(sizes, registries, decisions, faults):
    """Build the tables of a small review: trials of given sizes, one opinion a record."""
    records, trials, said, n = [], [], [], 0
    for number, size in enumerate(sizes):
        names = [f"R{n + i:03d}" for i in range(size)]
        for name in names:
            at = len(records)
            records.append((name, registries[at % len(registries)], ("now", "other")[at % 2]))
            decision = decisions[at % len(decisions)]
            reason = "not-pain" if decision == "exclude" else None
            said.append((name, "title", decision, reason, "E1", None, None, None, None, "rule"))
        trials.append((f"T{number:03d}", tuple(names), ("x",), names[0]))
        n += size
    decided = pd.DataFrame(
        said,
        columns=[
            "record_id",
            "stage",
            "decision",
            "reason",
            "rule_id",
            "field",
            "matched",
            "start",
            "end",
            "decided_by",
        ],
    )
    trials = pd.DataFrame(
        trials, columns=["trial_id", "record_ids", "registries", "lead_record_id"]
    )
    return {
        "records": pd.DataFrame(records, columns=["record_id", "registry", "snapshot_id"]),
        "quarantine": pd.DataFrame(
            [("other", "a.csv", f"row {i}", None, "no-id", "") for i in range(faults)],
            columns=["snapshot_id", "source_file", "location", "record_id", "reason", "excerpt"],
        ),
        "links": pd.DataFrame(
            [
                (a, b, "title", "", 0.9, "merge", "rule")
                for row in trials.itertuples()
                for a, b in zip(row.record_ids, row.record_ids[1:], strict=False)
            ],
            columns=[
                "record_a",
                "record_b",
                "kind",
                "evidence",
                "probability",
                "decision",
                "decided_by",
            ],
        ),
        "trials": trials,
        "decisions": decided,
        "verdicts": trial_verdicts(trials, decided),
    }


worlds = st.builds(
    tables,
    sizes=st.lists(st.integers(1, 3), max_size=8),
    registries=st.lists(st.sampled_from(REGISTRIES), min_size=1, max_size=4),
    decisions=st.lists(DECIDED, min_size=1, max_size=5),
    faults=st.integers(0, 3),
)


@settings(max_examples=20, deadline=None)
@given(world=worlds)
def test_what_was_found_is_accounted_for(world):
    counts = prisma_flow(log_events(**world, snapshots=SNAPSHOTS))
    assert box_total(counts, "identified", "record") == len(world["records"]) + len(
        world["quarantine"]
    )
    assert box_total(counts, "screened", "trial") == len(world["trials"])
    included = world["verdicts"]["decision"].eq("include").sum()
    assert box_total(counts, "included", "trial") == included
    members = world["trials"].set_index("trial_id")["record_ids"].map(len)
    kept = world["verdicts"].loc[world["verdicts"]["decision"].eq("include"), "trial_id"]
    assert box_total(counts, "included", "record") == members.reindex(kept).sum()


@settings(max_examples=40, deadline=None)
@given(world=worlds, data=st.data())
def test_any_tampered_log_balances_or_raises(world, data):
    events = log_events(**world, snapshots=SNAPSHOTS)
    for _ in range(data.draw(st.integers(1, 4))):
        if events.empty:
            break
        row = data.draw(st.integers(0, len(events) - 1))
        act = data.draw(st.sampled_from(["drop", "repeat", "change", "shuffle"]))
        if act == "drop":
            events = events.drop(index=row).reset_index(drop=True)
        elif act == "repeat":
            actor = data.draw(st.sampled_from(["rule", "coder-b"]))
            events = append_events(events, events.iloc[[row]].assign(actor=actor))
        elif act == "change":
            column = data.draw(st.sampled_from(EVENT_COLUMNS))
            other = data.draw(st.integers(0, len(events) - 1))
            events.loc[row, column] = events.loc[other, column]
        else:
            events = events.sample(frac=1, random_state=row).reset_index(drop=True)
    try:
        counts = prisma_flow(events)
    except InputError:
        return
    for registry in (None, *counts["registry"].unique()):
        for _, source, goals in ARROWS:
            assert box_total(counts, *source, registry) == sum(
                box_total(counts, *goal, registry) for goal in goals
            )
    linkage = standing_events(events)["stage"].eq("linkage").sum()
    assert box_total(counts, "screened", "record") == linkage


def small_log():
    world = tables([2, 1, 1], ["ClinicalTrials.gov", "ISRCTN"], ["exclude", "include"], 1)
    return log_events(**world, snapshots=SNAPSHOTS)


def test_counts_of_a_small_review():
    counts = prisma_flow(small_log())
    rows = {
        (row.box, row.unit, row.registry, None if pd.isna(row.reason) else row.reason): row.n
        for row in counts.itertuples()
    }
    left = counts["box"].isin(["excluded", "unsure", "included"])
    assert (counts["stage"] == "title").fillna(False).tolist() == left.tolist()
    assert rows == {
        ("identified", "record", "ClinicalTrials.gov", None): 2,
        ("identified", "record", "ISRCTN", None): 2,
        ("identified", "record", "WHO ICTRP", None): 1,
        ("set aside", "record", "WHO ICTRP", "no-id"): 1,
        ("linked", "record", "ISRCTN", None): 1,
        ("screened", "record", "ClinicalTrials.gov", None): 2,
        ("screened", "record", "ISRCTN", None): 2,
        ("screened", "trial", "ClinicalTrials.gov", None): 2,
        ("screened", "trial", "ISRCTN", None): 1,
        # R001 includes what R000 would exclude; R003 is a trial of its own
        ("included", "record", "ClinicalTrials.gov", None): 1,
        ("included", "record", "ISRCTN", None): 2,
        ("included", "trial", "ClinicalTrials.gov", None): 1,
        ("included", "trial", "ISRCTN", None): 1,
        ("excluded", "record", "ClinicalTrials.gov", "not-pain"): 1,
        ("excluded", "trial", "ClinicalTrials.gov", "not-pain"): 1,
    }


@pytest.mark.parametrize(
    ("stage", "decision", "arrow"),
    [
        ("identification", "identified", "came from nowhere"),
        ("linkage", "lead", "found and then neither read nor linked"),
        ("linkage", "linked", "found and then neither read nor linked"),
        ("verdict", "exclude", "included, excluded or unsure"),
        ("reading", "set aside", "found and then neither read nor linked"),
    ],
)
def test_a_lost_event_is_named_by_its_arrow(stage, decision, arrow):
    events = small_log()
    lost = events.index[events["stage"].str.startswith(stage) & (events["decision"] == decision)][0]
    with pytest.raises(InputError, match=arrow):
        prisma_flow(events.drop(index=lost))


def test_a_trial_needs_one_lead_record():
    events = small_log()
    lead = events.index[events["decision"] == "lead"][0]
    events.loc[lead, "decision"] = "linked"
    with pytest.raises(InputError, match="linked → screened: a trial without a lead record"):
        prisma_flow(events)
    events.loc[events["decision"] == "linked", "decision"] = "lead"
    with pytest.raises(InputError, match="linked → screened: a trial with two lead records"):
        prisma_flow(events)


def test_an_exclusion_needs_a_reason():
    events = small_log()
    events.loc[
        (events["stage"] == "verdict/title") & (events["decision"] == "exclude"), "reason"
    ] = pd.NA
    with pytest.raises(InputError, match="screened → excluded: excluded without a reason"):
        prisma_flow(events)


def test_a_later_event_supersedes_and_the_earlier_stays_in_the_log():
    events = small_log()
    last = events[events["stage"] == "verdict/title"].iloc[[0]]
    longer = append_events(events, last.assign(decision="unsure", reason="target not stated"))
    assert len(longer) == len(events) + 1
    pd.testing.assert_frame_equal(longer.iloc[:-1], events, check_dtype=False)
    counts = prisma_flow(longer)
    assert box_total(counts, "unsure", "trial") == 1
    assert box_total(counts, "included", "trial") == 1


def test_counts_that_do_not_add_up_are_refused_with_both_sums():
    counts = prisma_flow(small_log())
    counts.loc[counts["box"] == "excluded", "n"] += 1
    with pytest.raises(InputError, match=r"screened records → .* 2 go in, 3 come out"):
        check_balance(counts)


def test_the_boxes_of_the_diagram_add_up_and_read_as_text():
    counts = prisma_flow(small_log())
    steps = flow_steps(counts, {"title": "titles", "whole": "the whole record"})
    assert [(s.phase, s.records, s.trials) for s in steps] == [
        ("Identification", 5, None),
        ("Screening", 4, 3),
        ("Screening", None, 2),
        ("Included", 3, 2),
    ]
    assert [(e.n, e.reasons) for e in steps[0].exits] == [(1, (("no-id", 1),)), (1, ())]
    assert steps[1].exits[0].reasons == (("not-pain", 1),)
    page = BeautifulSoup(flow_diagram(steps, caption="<b>log</b>"), "html.parser")
    assert page.figcaption.get_text() == "<b>log</b>"
    text = " ".join(page.get_text(" ").split())
    for words in ("5 records", "1 record ", "3 trials", "not pain 1", "included, 3 records"):
        assert words in text
    assert "2 trials included" in flow_words(steps)
    with pytest.raises(InputError, match="not named: title"):
        flow_steps(counts, {"whole": "the whole record"})


def test_dates_are_the_data_s_and_the_run_is_a_digest():
    events = small_log()
    assert set(events["date"]) == {"2020-07-28", "2021-01-02"}
    assert events["run"].nunique() == 1
    pd.testing.assert_frame_equal(events, small_log())


def test_a_reader_s_words_become_decisions_with_the_rules_code_where_both_agree():
    rules = pd.DataFrame(
        [("A", "exclude", "not-pain", "rule"), ("B", "include", "in-scope", "rule")],
        columns=["record_id", "decision", "reason", "decided_by"],
    )
    rules = rules.assign(stage="whole", rule_id="E1", matched="tinnitus", start=1).astype(
        {"start": "Int64"}
    )
    scope = pd.DataFrame(
        {
            "record_id": ["A", "B", "Z"],
            "decision": ["exclude", "exclude", "include"],
            "words": ["not about pain", "TENS only", "elsewhere"],
            "decided_by": "coder-a",
        }
    ).astype("string")
    said = reader_decisions(scope, rules, "whole")
    assert list(said.columns) == list(rules.columns)
    assert said["record_id"].tolist() == ["A", "B"]
    assert said["reason"].tolist() == ["not-pain", "readers-own-words"]
    assert said["matched"].tolist() == ["not about pain", "TENS only"]
    assert said["start"].isna().all()


def test_a_person_outranks_a_rule_and_can_be_left_out():
    trials = pd.DataFrame({"trial_id": ["T"], "record_ids": [("A", "B")], "lead_record_id": ["A"]})
    decisions = pd.DataFrame(
        [
            ("A", "title", "exclude", "not-pain", "E1", "rule"),
            ("A", "whole", "include", None, "I1", "rule"),
            ("B", "whole", "include", None, "I1", "rule"),
            ("B", "whole", "exclude", "not-pain", None, "coder-a"),
        ],
        columns=["record_id", "stage", "decision", "reason", "rule_id", "decided_by"],
    )
    both = trial_verdicts(trials, decisions).iloc[0]
    assert (both["decision"], both["decided_by"], both["reason"]) == (
        "exclude",
        "coder-a",
        "not-pain",
    )
    rules = trial_verdicts(trials, decisions, ["rule"]).iloc[0]
    assert (rules["decision"], rules["record_id"]) == ("include", "A")
    second = decisions.assign(decided_by="coder-b", decision="include")[
        decisions["stage"] == "whole"
    ]
    three = pd.concat([decisions, second.drop_duplicates("record_id")])
    with pytest.raises(InputError, match="coder-a and coder-b differ on B"):
        trial_verdicts(trials, three)
    settled = trial_verdicts(trials, three, ["coder-b", "coder-a", "rule"]).iloc[0]
    assert (settled["decision"], settled["decided_by"]) == ("include", "coder-b")
    with pytest.raises(InputError, match="no decision by coder-b"):
        trial_verdicts(trials, decisions, ["coder-b"])
    with pytest.raises(InputError, match="decided B twice at stage whole"):
        trial_verdicts(trials, pd.concat([decisions, decisions.iloc[[2]]]))
