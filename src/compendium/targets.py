"""Stimulation targets: where they lie, who says so, and how sure that is."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.errors import InputError

GROUPS = ("superficial", "deep", "control")
ROLES = ("analgesic", "comparison", "control")
SIDES = ("L", "R", "mid")
VERIFIED = ("primary source", "secondary source", "computed", "unverified")
SPACES = (
    "MNI152",  # the variant is not stated
    "MNI152NLin6Asym",
    "MNI152NLin2009bAsym",
    "MNI152NLin2009cAsym",
)

# Anterior and posterior commissure and a point of the midsagittal plane in MNI152NLin2009bAsym,
# mm, as published with Lead-DBS (Horn et al. 2019).
COMMISSURES: dict[str, np.ndarray] = {
    "AC": np.array([0.25, 1.298, -5.003]),
    "PC": np.array([-0.188, -24.756, -2.376]),
}
MIDSAGITTAL = np.array([0.25, 1.298, 55.0])
ACPC_UNCERTAINTY = 2.0  # mm; patients' AC-PC distance differs from the template's 26.2 mm


@dataclass(frozen=True)
class Target:
    """A place that is stimulated, or that serves as a comparison.

    Attributes
    ----------
    target_id : str
        Unique.
    site : str
        The same for both sides of one site.
    label : str
        For people.
    group : {"superficial", "deep", "control"}
        Reached from the scalp, or by a lead in the depth; neither for a control.
    role : {"analgesic", "comparison", "control"}
        Stimulated against pain; stimulated against something else; a place of no expected effect.
    indication : str
        pain, depression, motor, control.
    side : {"L", "R", "mid"}
        Hemisphere.
    x, y, z : float
        mm.
    space : str
        MNI152 variant of the coordinates; plain ``MNI152`` where the source does not say.
    radius_mm : float
        Radius of the seed.
    evidence : str
        V read in the source, S seen in a secondary source (S-low: a weak one), D computed,
        R recalled and not read.
    verified : str
        The same in words; ``unverified`` for what was recalled.
    proxy : bool
        True where no target is published and a peak of a pain meta-analysis stands for it: a
        comparison with pain maps would then be circular.
    source : str
        In words.
    citation : tuple of str
        Keys in the book's bibliography.
    codebook_target : str or None
        Value of the codebook's variable ``target`` that trials of this target carry.
    alternative_to : str or None
        Target that this one may stand in for; None for a first choice.
    alternative_kind : str or None
        ``coordinate`` (another opinion on the same place) or ``body part``.
    acpc_origin, acpc_lateral_mm, acpc_posterior_mm, acpc_superior_mm
        The surgical plan that `acpc_to_mni` converted; None where there is none.
    uncertainty_mm : float or None
        Of the conversion.
    note : str or None
        What a reader must know.
    """

    target_id: str
    site: str
    label: str
    group: str
    role: str
    indication: str
    side: str
    x: float
    y: float
    z: float
    space: str
    radius_mm: float
    evidence: str
    verified: str
    proxy: bool
    source: str
    citation: tuple[str, ...]
    codebook_target: str | None = None
    alternative_to: str | None = None
    alternative_kind: str | None = None
    acpc_origin: str | None = None
    acpc_lateral_mm: float | None = None
    acpc_posterior_mm: float | None = None
    acpc_superior_mm: float | None = None
    uncertainty_mm: float | None = None
    note: str | None = None

    @property
    def name(self) -> str:
        """Name of the seed."""
        return self.target_id

    @property
    def centre(self) -> tuple[float, float, float]:
        """Centre of the seed, mm."""
        return (self.x, self.y, self.z)

    @property
    def radius(self) -> float:
        """Radius of the seed, mm."""
        return self.radius_mm

    @property
    def template(self) -> str:
        """MNI152 variant of the centre."""
        return self.space

    @property
    def is_first_choice(self) -> bool:
        """Whether the target is not merely an alternative to another."""
        return self.alternative_to is None


NUMBERS = (
    "x", "y", "z", "radius_mm", "acpc_lateral_mm", "acpc_posterior_mm", "acpc_superior_mm",
    "uncertainty_mm",
)  # fmt: skip
REQUIRED = (
    "target_id", "site", "label", "group", "role", "indication", "side", "x", "y", "z", "space",
    "radius_mm", "evidence", "verified", "proxy", "source",
)  # fmt: skip
VOCABULARIES: dict[str, tuple[str, ...]] = {
    "group": GROUPS,
    "role": ROLES,
    "side": SIDES,
    "verified": VERIFIED,
    "space": SPACES,
    "proxy": ("yes", "no"),
    "alternative_kind": ("coordinate", "body part"),
    "acpc_origin": ("MCP", "AC", "PC"),
}


def read_targets(path: Path) -> list[Target]:
    """Read a protocol's targets.

    Parameters
    ----------
    path : Path
        CSV, one row per target and side; the columns are the fields of `Target`, ``citation``
        separated by ``;`` and ``proxy`` as yes or no.

    Returns
    -------
    list of Target
        In the file's order.

    Raises
    ------
    InputError
        If a column or a required cell is missing, a word is not in its vocabulary, a number is
        none, an identifier occurs twice, an alternative points to no target, or a coordinate is
        not what the stated surgical plan converts to. Names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such table of targets", where=str(path))
    table = pd.read_csv(path, dtype="string", encoding="utf-8-sig")
    wanted = [field.name for field in fields(Target)]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise InputError(f"the column {missing[0]!r} is missing", where=path.name)
    targets, seen = [], set()
    for line, row in enumerate(table[wanted].to_dict("records"), start=2):
        where = f"{path.name}, line {line}"
        target = _target(row, where)
        if target.target_id in seen:
            raise InputError(f"the target {target.target_id!r} occurs twice", where=where)
        seen.add(target.target_id)
        _check_plan(target, where)
        targets.append(target)
    for target in targets:
        if target.alternative_to is not None and target.alternative_to not in seen:
            raise InputError(
                f"{target.target_id!r} is an alternative to {target.alternative_to!r}, "
                "which is not a target",
                where=path.name,
            )
    return targets


def target_table(targets: list[Target]) -> pd.DataFrame:
    """Return the targets as a table, one row each, with the fields of `Target` as columns."""
    table = pd.DataFrame(
        [
            {field.name: getattr(target, field.name) for field in fields(Target)}
            for target in targets
        ]
    )
    for name in NUMBERS:
        table[name] = table[name].astype(float)
    for name in table.columns.difference([*NUMBERS, "proxy", "citation"]):
        table[name] = table[name].astype("string")
    return table


def site_names(targets: list[Target]) -> list[str]:
    """Return what the sites of some targets are called, each once, without the side.

    Parameters
    ----------
    targets : list of Target
        In the order in which their sites are to be named.

    Returns
    -------
    list of str
    """
    return list(
        dict.fromkeys(t.label.removesuffix(", left").removesuffix(", right") for t in targets)
    )


def acpc_to_mni(
    lateral: float, posterior: float, superior: float, side: str, origin: str = "MCP"
) -> np.ndarray:
    """Convert a surgical plan relative to the commissures to MNI coordinates.

    Parameters
    ----------
    lateral, posterior, superior : float
        mm from the midsagittal plane, behind the origin, and above the AC-PC plane; negative for
        the opposite.
    side : {"L", "R"}
        Hemisphere.
    origin : {"MCP", "AC", "PC"}
        Midcommissural point, anterior or posterior commissure.

    Returns
    -------
    ndarray, shape (3,)
        mm in MNI152NLin2009bAsym. A rigid change of axes: the AC-PC line gives the y axis, the
        midsagittal plane x. Lengths are not scaled to the template's 26.2 mm between the
        commissures, so expect errors of about 2 mm, more with distance from the origin; and a
        plan is the tip of the lead, whose active contact usually lies 2-6 mm higher.

    Raises
    ------
    InputError
        If side or origin is none of these.

    Examples
    --------
    Subthalamic nucleus: 12 mm lateral, 3 mm behind and 4 mm below the midcommissural point.

    >>> acpc_to_mni(12, 3, -4, "R").round(1).tolist()
    [12.0, -15.3, -7.4]
    """
    origins = {**COMMISSURES, "MCP": (COMMISSURES["AC"] + COMMISSURES["PC"]) / 2}
    if side not in ("L", "R") or origin not in origins:
        raise InputError(f"no plan on side {side!r} from {origin!r}")
    forward = COMMISSURES["AC"] - COMMISSURES["PC"]
    forward = forward / np.linalg.norm(forward)
    rightward = np.cross(forward, MIDSAGITTAL - COMMISSURES["AC"])
    rightward = rightward / np.linalg.norm(rightward)
    upward = np.cross(rightward, forward)
    sign = 1 if side == "R" else -1
    return origins[origin] + sign * lateral * rightward - posterior * forward + superior * upward


def read_pain_peaks(path: Path) -> pd.DataFrame:
    """Read the peaks of the association with pain in Neurosynth 7 (Open Database Licence).

    Parameters
    ----------
    path : Path
        `data/protocol/pain_peaks_neurosynth_v7.csv`.

    Returns
    -------
    DataFrame
        ``selection`` (which studies count as pain), ``z_assoc``, ``x``, ``y``, ``z`` (mm, MNI152),
        ``prop_pain_studies``, ``posterior_p_pain_prior0.5``.

    Raises
    ------
    InputError
        If the file or a column is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("the pain peaks are missing", where=str(path))
    table = pd.read_csv(path, encoding="utf-8")
    for name in ("selection", "z_assoc", "x", "y", "z"):
        if name not in table:
            raise InputError(f"the column {name!r} is missing", where=path.name)
    return table


def _target(row: dict, where: str) -> Target:
    """Return one row as a target, every cell checked."""
    values = {name: None if pd.isna(cell) else cell.strip() for name, cell in row.items()}
    for name in REQUIRED:
        if not values[name]:
            raise InputError(f"the cell {name!r} is empty", where=where)
    for name, vocabulary in VOCABULARIES.items():
        if values[name] is not None and values[name] not in vocabulary:
            raise InputError(
                f"{values[name]!r} is no {name}", where=where, remedy=f"use one of {vocabulary}"
            )
    for name in NUMBERS:
        if values[name] is None:
            continue
        try:
            values[name] = float(values[name])
        except ValueError as error:
            raise InputError(f"{name} is {values[name]!r}, not a number", where=where) from error
        if not np.isfinite(values[name]):
            raise InputError(f"{name} is not finite", where=where)
    if values["radius_mm"] <= 0:
        raise InputError("the radius must be above zero", where=where)
    citation = tuple(key.strip() for key in (values["citation"] or "").split(";") if key.strip())
    return Target(**{**values, "proxy": values["proxy"] == "yes", "citation": citation})


def _check_plan(target: Target, where: str) -> None:
    """Refuse coordinates that are not what their plan converts to."""
    plan = (target.acpc_lateral_mm, target.acpc_posterior_mm, target.acpc_superior_mm)
    if target.acpc_origin is None or None in plan:
        return
    converted = acpc_to_mni(*plan, target.side, target.acpc_origin)
    if np.abs(converted - target.centre).max() > 0.06:
        raise InputError(
            f"the plan converts to {tuple(converted.round(1).tolist())}, not {target.centre}",
            where=where,
        )
