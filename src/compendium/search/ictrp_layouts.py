"""The WHO portal's export layouts: which fields there are, and which are never kept."""

import re
from collections.abc import Sequence

from compendium.errors import InputError

_COMMON = (
    "TrialID", "Last_Refreshed_on", "Public_title", "Scientific_title", "Acronym",
    "Primary_sponsor", "Date_registration", "Date_registration3", "Export_date",
    "Source_Register", "web_address", "Recruitment_Status", "other_records", "Inclusion_agemin",
    "Inclusion_agemax", "Inclusion_gender", "Date_enrollement", "Target_size", "Study_type",
    "Study_design", "Phase", "Countries", "Contact_Firstname", "Contact_Lastname",
    "Contact_Address", "Contact_Email", "Contact_Tel", "Contact_Affiliation",
    "Inclusion_Criteria", "Exclusion_Criteria", "Condition", "Intervention", "Primary_outcome",
    "results_date_posted", "results_date_completed", "results_url_link", "results_yes_no",
)  # fmt: skip
_BRIDGING = ("Bridging_flag_truefalse", "Bridged_type")
_LATER = (
    "Secondary_outcome", "Secondary_ID", "Secondary_Sponsor", "Prospective_registration",
    "results_url_protocol", "results_date_first_publication", "results_summary",
    "results_baseline_char", "results_adverse_events", "results_outcome_measures",
    "results_ipd_plan", "results_ipd_description",
)  # fmt: skip
_ETHICS = (
    "status", "approval_date", "contact_name", "contact_address", "contact_phone",
    "contact_email",
)  # fmt: skip
# The portal's layouts: export → its fields, blanks as underscores. The XML of 2020 leaves out
# tags that have no value.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "2020": (*_COMMON, "Retrospective_flag", *_BRIDGING),
    "2026 CSV": (
        *_COMMON, *_LATER, *_BRIDGING, "Source_Name", "Ethics_Status", "Ethics_Approval_Date",
        "Ethics_Contact_Name", "Ethics_Contact_Address", "Ethics_Contact_Phone",
        "Ethics_Contact_Email",
    ),
    "2026 XML": (
        *_COMMON, *_LATER, "Internal_Number", "Source_Support",
        *(f"Ethics_review_{name}" for name in _ETHICS),
    ),
}  # fmt: skip
REQUIRED = ("TrialID", "Public_title", "Source_Register")
# Dropped while parsing: who may be called, where they live, and the ethics board's own contact.
_CONTACT = re.compile(r"(ethics_(review_)?)?contact_", re.IGNORECASE)

FIELD_NAMES = {name.lower(): name for layout in LAYOUTS.values() for name in layout}


def is_contact(name: str) -> bool:
    """Say whether a field holds contact data, which is never kept."""
    return _CONTACT.match(name) is not None


def canonical_fields(names: Sequence[str], where: str) -> list[str]:
    """Bring a header's names to the portal's field names, or refuse the layout.

    Parameters
    ----------
    names : sequence of str
        Column heads or tags; blanks and underscores are the same, as are capitals.
    where : str
        The file, for messages.

    Returns
    -------
    list of str
        Field names in the order of `names`.

    Raises
    ------
    InputError
        If a name is unknown or comes twice, or a required one is missing.

    Examples
    --------
    >>> canonical_fields(["TrialID", "Public title", "Source Register"], "x.csv")
    ['TrialID', 'Public_title', 'Source_Register']
    """
    plain = ["_".join(name.replace("_", " ").split()).lower() for name in names]
    unknown = [name for name, key in zip(names, plain, strict=True) if key not in FIELD_NAMES]
    if unknown:
        raise InputError(
            f"unknown columns {', '.join(repr(name) for name in unknown[:5])}: the portal's layout "
            "has changed, or this is no portal export",
            where=where,
            remedy=f"the layouts known are {', '.join(LAYOUTS)}",
        )
    repeated = sorted({FIELD_NAMES[key] for key in plain if plain.count(key) > 1})
    if repeated:
        raise InputError(f"columns come twice: {', '.join(repeated)}", where=where,
                         remedy="export again")  # fmt: skip
    fields = [FIELD_NAMES[key] for key in plain]
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise InputError(
            f"columns are missing: {', '.join(missing)}", where=where, remedy="export all columns"
        )
    return fields
