"""What the chapter on screening tells: reasons with their counts, agreement, one trial's life."""

import pandas as pd

from compendium.calibration import HALVES, half_of, scope_card
from compendium.eligibility import Eligibility
from compendium.statistics.shares import SHARE_COLUMNS, share

AGREEMENT_COLUMNS = [
    "half",
    "records",
    "same",
    "kappa",
    "AC1",
    "alpha",
    "relevant kept",
    "could be missed",
]


def reason_table(eligibility: Eligibility, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the eligibility codebook, with how many trials each reason settled.

    Parameters
    ----------
    eligibility : Eligibility
        Reasons with definition, example and counter-example.
    verdicts : DataFrame
        One row per trial: `decision`, `reason`.

    Returns
    -------
    DataFrame
        `reason`, `decision`, `definition`, `example`, `counter_example`, `trials`; in the order of
        the protocol. A reason that only passes a record on to the next stage settles no trial.
    """
    settled = verdicts["reason"].value_counts()
    return pd.DataFrame(
        [
            (
                reason.code,
                reason.decision,
                reason.definition,
                reason.example,
                reason.counter_example,
                int(settled.get(reason.code, 0)),
            )
            for reason in eligibility.reasons.values()
        ],
        columns=["reason", "decision", "definition", "example", "counter_example", "trials"],
    )


def reason_shares(verdicts: pd.DataFrame, decisions: tuple[str, ...]) -> pd.DataFrame:
    """Return the reasons of trials with the given decisions, as shares of all trials screened.

    Parameters
    ----------
    verdicts : DataFrame
        One row per trial: `decision`, `reason`.
    decisions : tuple of str
        For example ``("exclude", "unsure")``.

    Returns
    -------
    DataFrame
        As `compendium.statistics.share_table`, with `decision`; largest first within a decision.
    """
    kept = verdicts[verdicts["decision"].isin(decisions)]
    counts = kept.groupby(["decision", "reason"]).size().reset_index(name="k")
    counts["place"] = counts["decision"].map(list(decisions).index)
    counts = counts.sort_values(["place", "k", "reason"], ascending=[True, False, True])
    rows = [
        {
            "value": row.reason.replace("-", " "),
            **share(int(row.k), len(verdicts), of="trials screened").row,
            "known": True,
            "decision": row.decision,
        }
        for row in counts.itertuples(index=False)
    ]
    return pd.DataFrame(rows, columns=[*SHARE_COLUMNS, "decision"])


def scope_agreement(final: pd.DataFrame, scope: pd.DataFrame, clusters: pd.Series) -> pd.DataFrame:
    """Return agreement on scope between the rules and a second reader, half by half.

    Parameters
    ----------
    final : DataFrame
        The rules' last decisions on the records the reader could have been given.
    scope : DataFrame
        The reader's decisions.
    clusters : Series
        Trial of each record, by record, for the bootstrap.

    Returns
    -------
    DataFrame
        One row per half that has records: `half`, `records`, `same` (n of N and interval), `kappa`
        (bootstrap interval), `AC1`, `alpha`, `relevant kept` (n of N and interval), `could be
        missed` (upper 95 % limit among all that the rules excluded, had the reader's records been
        drawn at random). Empty if the reader read none of these records.
    """
    common = set(final["record_id"]) & set(scope["record_id"])
    rows = []
    for half in (*HALVES, None):
        held = {record for record in common if half is None or half_of(record) == half}
        # a kappa needs two records at the least, and readers who do not always say the same
        if len(held) < 2 or scope[scope["record_id"].isin(held)]["decision"].nunique() < 2:
            continue
        card = scope_card(final, scope, half, clusters=clusters)
        same = round(card.agreement * card.n)
        rows.append(
            {
                "half": half or "all",
                "records": card.n,
                "same": str(share(same, card.n, of="records")),
                "kappa": f"{card.kappa:.2f} ({card.low:.2f}–{card.high:.2f})",
                "AC1": f"{card.ac1:.2f}",
                "alpha": f"{card.alpha:.2f}",
                "relevant kept": str(share(card.kept, card.relevant, of="records")),
                "could be missed": f"{card.missed_at_most} of {card.excluded} excluded",
            }
        )
    return pd.DataFrame(rows, columns=AGREEMENT_COLUMNS)


def agreement_note(agreement: pd.DataFrame, half: str = "held") -> str:
    """Say one half's agreement in a phrase, or that there is none."""
    row = agreement[agreement["half"] == half]
    if row.empty:
        return "not measurable on this snapshot, which holds too few of the records that were read"
    one = row.iloc[0]
    return f"{one['same']} records decided alike, κ {one['kappa']}, AC1 {one['AC1']}"


def life_of(trial_id: str, events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return every event of one trial and of its records, in the order of the log.

    Parameters
    ----------
    trial_id : str
        The trial.
    events : DataFrame
        The event log.
    trials : DataFrame
        `trial_id`, `record_ids`.
    """
    members = trials.loc[trials["trial_id"] == trial_id, "record_ids"].iloc[0]
    told = events[events["item"].isin({trial_id, *members})]
    columns = ["item", "unit", "stage", "decision", "reason", "rule", "actor", "date"]
    return told[columns].reset_index(drop=True)
