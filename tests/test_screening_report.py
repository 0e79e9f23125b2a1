import pandas as pd

from compendium.calibration import half_of
from compendium.eligibility import read_eligibility
from compendium.screening_report import (
    agreement_note,
    life_of,
    reason_shares,
    reason_table,
    scope_agreement,
)
from tests.test_flow import small_log, tables


def test_every_reason_of_the_protocol_has_a_row_and_every_trial_a_reason(root):
    eligibility = read_eligibility(root / "data" / "protocol" / "eligibility.yml")
    verdicts = pd.DataFrame(
        {
            "decision": ["include", "exclude", "exclude", "unsure"],
            "reason": ["in-scope", "not-about-pain", "not-about-pain", "too-little-stated"],
        }
    )
    told = reason_table(eligibility, verdicts).set_index("reason")
    assert list(told.index) == list(eligibility.reasons)
    assert told["trials"].sum() == len(verdicts)
    assert told.loc["not-about-pain", "trials"] == 2
    assert told["example"].str.len().min() > 0
    shares = reason_shares(verdicts, ("exclude", "unsure"))
    assert shares[["value", "k", "n"]].values.tolist() == [
        ["not about pain", 2, 4],
        ["too little stated", 1, 4],
    ]


def test_agreement_by_half_and_its_absence():
    names = [f"NCT{i:08d}" for i in range(40)]
    decided = ["include" if i % 3 else "exclude" for i in range(40)]
    final = pd.DataFrame({"record_id": names, "decision": decided})
    scope = final.assign(decision=["exclude", *decided[1:]])
    clusters = pd.Series(names, index=names)
    told = scope_agreement(final, scope, clusters)
    halves = pd.Series([half_of(name) for name in names]).value_counts()
    assert told.set_index("half")["records"].to_dict() == {
        "development": halves["development"],
        "held": halves["held"],
        "all": 40,
    }
    assert told["same"].iloc[-1].startswith("40 of 40, 100.0 %")
    assert "records decided alike, κ 1.00" in agreement_note(told)
    stranger = scope.assign(record_id="X" + scope["record_id"])
    nothing = scope_agreement(final, stranger, clusters)
    assert nothing.empty
    assert "not measurable" in agreement_note(nothing)


def test_one_trial_s_life_is_all_its_events_in_order():
    world = tables([2, 1, 1], ["ClinicalTrials.gov", "ISRCTN"], ["exclude", "include"], 1)
    told = life_of("T000", small_log(), world["trials"])
    assert told["stage"].tolist() == [
        "identification",
        "identification",
        "linkage",
        "linkage",
        "screening/title",
        "screening/title",
        "verdict/title",
    ]
    assert told["decision"].iloc[-1] == "include"
