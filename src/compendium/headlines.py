"""The figures that the first page leads with, each with what it rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

Card = tuple[str, str, str]


def record_cards(records: pd.DataFrame, manifests: Sequence[Mapping[str, Any]]) -> list[Card]:
    """Return the cards on what was read: registrations, registries, and the snapshots' dates.

    Parameters
    ----------
    records : DataFrame
        One row per registration.
    manifests : sequence of mapping
        Of the snapshots that the records come from.
    """
    dates = sorted({str(manifest["processed_date"]) for manifest in manifests})
    kinds = sorted({str(manifest["kind"]) for manifest in manifests})
    return [
        (
            f"{len(records):,}",
            "registrations read",
            f"{' and '.join(kinds)}, {records['registry'].nunique()} registries",
        ),
        (
            dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
            "data processed",
            f"{len(manifests)} frozen snapshots, every file with its digest",
        ),
    ]
