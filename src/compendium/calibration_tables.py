"""The calibration card as tables: what a reader sees of agreement, error and evidence."""

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd

from compendium.calibration import Card, indicators
from compendium.codebook import NOT_STATED, Codebook
from compendium.correction import adjusted_share
from compendium.landscape import trial_labels
from compendium.rules import texts
from compendium.statistics import share


def codebook_table(codebook: Codebook, variable: str) -> pd.DataFrame:
    """List a variable's values: code, definition, number of rules, and what each maps to.

    Parameters
    ----------
    codebook : Codebook
    variable : str

    Returns
    -------
    DataFrame
        code, definition, rules, and one column for each mapping that the file gives.
    """
    chosen = codebook[variable]
    counts = pd.Series([rule.value for rule in chosen.ruleset.rules]).value_counts()
    rows = [
        {"code": code, "definition": value.definition, "rules": int(counts.get(code, 0))}
        | dict(value.maps)
        for code, value in chosen.values.items()
    ]
    return pd.DataFrame(rows)


def summary_table(cards: Sequence[Card], aims: Mapping[str, float]) -> pd.DataFrame:
    """Put several cards into one table, one row a card.

    Parameters
    ----------
    cards : sequence of Card
    aims : mapping of str to float
        The kappa each variable should reach; a variable may have none.

    Returns
    -------
    DataFrame
        variable, half, records, kappa, low, high, ac1, agreement, exact, aim, met ("yes", "no",
        or missing where there is no aim).
    """
    rows = []
    for card in cards:
        aim = aims.get(card.variable)
        rows.append(
            {
                "variable": card.variable,
                "half": card.half,
                "records": card.n,
                "kappa": card.kappa,
                "low": card.low,
                "high": card.high,
                "ac1": card.ac1,
                "agreement": card.agreement,
                "exact": card.exact,
                "aim": aim,
                "met": pd.NA if aim is None else "yes" if card.kappa >= aim else "no",
            }
        )
    return pd.DataFrame(rows)


def summary_sheet(summary: pd.DataFrame) -> pd.DataFrame:
    """Return `summary_table` as a sheet for readers, with limits beside the estimate."""
    rows = [
        {
            "variable": row.variable,
            "half": row.half,
            "kappa": f"{row.kappa:.2f} ({row.low:.2f}–{row.high:.2f})",
            "aim": "–" if pd.isna(row.aim) else f"{row.aim:.2f}",
            "met": row.met,
            "AC1": _two(row.ac1),
            "agreement": f"{100 * row.agreement:.1f} %",
            "all labels equal": f"{row.exact} of {row.records}",
        }
        for row in summary.itertuples()
    ]
    return pd.DataFrame(rows)


def kappa_words(card: Card) -> str:
    """Say a card's kappa with its interval and size.

    Examples
    --------
    >>> empty = pd.DataFrame()
    >>> kappa_words(Card("target", "held", 106, .872, .804, .936, .9, .9, 90, empty, empty, empty))
    'κ 0.87 (0.80–0.94), 106 records'
    """
    return f"κ {card.kappa:.2f} ({card.low:.2f}–{card.high:.2f}), {card.n} records"


def aim_words(card: Card, aim: float) -> str:
    """Say whether a card reaches its aim, and how sure that is.

    Examples
    --------
    >>> empty = pd.DataFrame()
    >>> card = Card("target", "held", 106, .872, .804, .936, .9, .9, 90, empty, empty, empty)
    >>> aim_words(card, 0.7)
    'target: aim 0.70 met (0.87, interval 0.80–0.94 wholly above it)'
    """
    span = f"interval {card.low:.2f}–{card.high:.2f}"
    if card.kappa < aim:
        weakest = card.labels.assign(lost=(1 - card.labels["kappa"]) * card.labels["coder"])
        worst = weakest.sort_values("lost", ascending=False)["value"].head(3)
        return (
            f"{card.variable}: aim {aim:.2f} missed ({card.kappa:.2f}, {span}); most is lost on "
            f"{', '.join(worst)}"
        )
    sure = "wholly above it" if card.low >= aim else "reaching below it"
    return f"{card.variable}: aim {aim:.2f} met ({card.kappa:.2f}, {span} {sure})"


def label_sheet(card: Card) -> pd.DataFrame:
    """Return a card's labels as a sheet for readers: counts, coefficients, shares with limits."""
    table = card.labels
    sheet = pd.DataFrame(
        {
            "label": table["value"],
            "coder": table["coder"],
            "rules": table["rule"],
            "both": table["both"],
            "prevalence": [f"{100 * value:.0f} %" for value in table["prevalence"]],
            "agreement": [f"{100 * value:.1f} %" for value in table["agreement"]],
            "kappa": [_two(value) for value in table["kappa"]],
            "AC1": [_two(value) for value in table["ac1"]],
        }
    )
    for name in ("precision", "recall"):
        sheet[name] = [
            "–" if pd.isna(value) else f"{value:.2f} ({low:.2f}–{high:.2f})"
            for value, low, high in zip(
                table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True
            )
        ]
    return sheet


def _two(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"


def error_adjusted(
    trials: pd.DataFrame,
    by_rule: pd.DataFrame,
    both: pd.DataFrame,
    card: Card,
    *,
    least: int = 1,
) -> pd.DataFrame:
    """Count labels among trials three ways: by rule, corrected for error, and with the coder.

    Parameters
    ----------
    trials : DataFrame
        The trials counted: trial_id, record_ids.
    by_rule : DataFrame
        From `classify_records` without a coder.
    both : DataFrame
        From `classify_records` with a coder, whose word outranks the rules'.
    card : Card
        Where the rules' errors were measured; its variable is the one counted.
    least : int
        Values that fewer trials have by rule are left out.

    Returns
    -------
    DataFrame
        value, way ("rules alone", "rules, corrected", "coder before rules"), k (missing for the
        corrected), n, share, low, high. A share that cannot be corrected, because the measured
        records hold no such label, is missing.
    """
    rows = []
    given = {
        way: _by_trial(trials, labels, card.variable)
        for way, labels in (("rules alone", by_rule), ("coder before rules", both))
    }
    n = len(trials)
    counts = given["rules alone"].sum()
    for value in counts.sort_values(ascending=False, kind="stable").index:
        if counts[value] < least or value == NOT_STATED:
            continue
        measured = [
            side[value].to_numpy() if value in side else pd.Series(False, index=side.index)
            for side in (card.coder, card.rule)
        ]
        corrected = adjusted_share(given["rules alone"][value].to_numpy(), *measured)
        for way, table in given.items():
            one = share(int(table[value].sum()) if value in table else 0, n)
            rows.append((value, way, one.k, n, one.estimate, one.low, one.high))
        rows.append(
            (
                value,
                "rules, corrected",
                pd.NA,
                n,
                corrected.estimate,
                corrected.low,
                corrected.high,
            )
        )
    table = pd.DataFrame(rows, columns=["value", "way", "k", "n", "share", "low", "high"])
    return table.astype({"k": "Int64"})


def _by_trial(trials: pd.DataFrame, labels: pd.DataFrame, variable: str) -> pd.DataFrame:
    own = trial_labels(trials, labels[labels["variable"] == variable])
    own = own.assign(record_id=own["trial_id"])
    return indicators(own, variable, list(trials["trial_id"]))


def three_ways(shares: pd.DataFrame) -> pd.DataFrame:
    """Set the three counts of `error_adjusted` side by side, in words.

    Returns
    -------
    DataFrame
        value, and one column a way: count, share and 95 % interval.
    """
    words = []
    for row in shares.itertuples():
        span = f"{100 * row.share:.1f} % ({100 * row.low:.1f}–{100 * row.high:.1f})"
        if pd.isna(row.share):
            span = "errors unknown"
        words.append(span if pd.isna(row.k) else f"{row.k} of {row.n}, {span}")
    sheet = shares.assign(words=words).pivot(index="value", columns="way", values="words")
    order = list(dict.fromkeys(shares["value"]))
    ways = ["rules alone", "rules, corrected", "coder before rules"]
    return sheet.loc[order, ways].reset_index().rename_axis(columns=None)


def worked_examples(
    records: pd.DataFrame, labels: pd.DataFrame, ids: Sequence[str], variables: Sequence[str]
) -> pd.DataFrame:
    """Gather the words that decided, with the text they stand in.

    Parameters
    ----------
    records, labels : DataFrame
    ids : sequence of str
        Records, in the order wanted.
    variables : sequence of str
        Variables to show.

    Returns
    -------
    DataFrame
        record_id, url, title, field, text, start, end, variable, value, rule_id: one row a label
        that rests on words, titles before conditions before what is done.
    """
    rows = []
    places = {"public_title": 0, "scientific_title": 1, "conditions": 2, "keywords": 3}
    for identity in ids:
        record = records[records["record_id"] == identity].iloc[0].to_dict()
        own = labels[(labels["record_id"] == identity) & labels["variable"].isin(variables)]
        own = own[own["start"].notna()]
        place = own["field"].str.split("[").str[0].map(places).fillna(9)
        for label in own.loc[place.sort_values(kind="stable").index].itertuples():
            text = dict(texts(record, [str(label.field).split("[")[0]]))[label.field]
            rows.append(
                (
                    identity,
                    record.get("url"),
                    record.get("public_title"),
                    label.field,
                    text,
                    int(label.start),
                    int(label.end),
                    label.variable,
                    label.value,
                    label.rule_id,
                )
            )
    columns = ["record_id", "url", "title", "field", "text", "start", "end"]
    return pd.DataFrame(rows, columns=[*columns, "variable", "value", "rule_id"])


def exercise_records(
    records: pd.DataFrame, coded: pd.DataFrame, variable: str, n: int = 10, most: int = 3
) -> pd.DataFrame:
    """Choose records for a reader to code, by an order that no one chose.

    Parameters
    ----------
    records : DataFrame
    coded : DataFrame
        From `read_coding`; only records with exactly one value are taken.
    variable : str
    n : int
        How many.
    most : int
        At most so many of one value, so that agreement by always saying the same is not rewarded.

    Returns
    -------
    DataFrame
        record_id, title, arms, design, answer.
    """
    own = coded[coded["variable"] == variable]
    single = own[~own["record_id"].duplicated(keep=False)].set_index("record_id")["value"]
    facts = records.set_index("record_id")
    described = [
        record
        for record in single.index
        if record in facts.index and len(facts.at[record, "arm_labels"])
    ]
    order = sorted(described, key=lambda record: hashlib.sha256(f"{record}!".encode()).hexdigest())
    taken: list[str] = []
    for record in order:
        if sum(single[other] == single[record] for other in taken) < most and len(taken) < n:
            taken.append(record)
    rows = []
    for record in sorted(taken):
        fact = facts.loc[record]
        design = [fact["study_type"], fact["allocation"], fact["intervention_model"]]
        words = [str(word).replace("_", " ").lower() for word in design if not pd.isna(word)]
        arms = "; ".join(dict.fromkeys(fact["arm_labels"]))
        rows.append((record, fact["public_title"], arms, ", ".join(words), single[record]))
    return pd.DataFrame(rows, columns=["record_id", "title", "arms", "design", "answer"])
