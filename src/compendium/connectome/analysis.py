"""One connectome, all targets: seeds placed, random seeds beside them, maps of both in one pass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.connectome.coverage import coverage_table
from compendium.connectome.dictionary import identity_of, map_dictionary
from compendium.connectome.large import open_rows
from compendium.connectome.mapping import subject_maps
from compendium.connectome.model import Space
from compendium.connectome.networks import MapSet
from compendium.connectome.random_seeds import random_seeds
from compendium.connectome.seeds import MINIMUM_COVERAGE, Seed, place_seed, seed_matrix
from compendium.connectome.store import Store
from compendium.connectome.tissue import hemisphere, tissue_class
from compendium.connectome.writing import digest_of, write_rows
from compendium.errors import InputError
from compendium.targets import Target

MINIMUM_POOL = 20  # random seeds of each kind, however few are asked for
KEPT_VALUES = 60_000_000  # subjects x seeds x locations up to which subjects' own maps are kept


@dataclass(frozen=True)
class Analysis:
    """What one connectome says about a set of targets.

    Attributes
    ----------
    connectome : str
        Its name.
    simulated : bool
        True if the data were generated.
    space : VoxelSpace or ParcelSpace
        Where the maps lie.
    maps : MapSet
        The targets that are represented and told apart, then the random seeds (group ``null``).
    folder : Path
        Where the maps lie as files.
    subject_z : ndarray, shape (n_subjects, K, P), float32, or None
        Fisher z of every subject for the same seeds; None where that would not fit in memory.
    placed : DataFrame
        One row for each target asked for: ``target_id``, ``label``, ``group``, ``role``,
        ``coverage``, ``outcome`` (mapped, not represented, not told apart, not matched),
        ``held_by`` (parcels and weights) and ``reason``.
    """

    connectome: str
    simulated: bool
    space: Space
    maps: MapSet
    folder: Path
    subject_z: np.ndarray | None
    placed: pd.DataFrame

    @property
    def targets(self) -> MapSet:
        """The maps of the targets alone."""
        return self.maps.take(self.target_rows)

    @property
    def target_rows(self) -> np.ndarray:
        """Rows of the targets in `maps`."""
        return np.flatnonzero((self.maps.seeds["group"] != "null").to_numpy())

    def of_targets(self, targets: Sequence[Target]) -> "Analysis":
        """Return the analysis of those of these targets that are mapped, random seeds kept."""
        names = {target.target_id for target in targets}
        seeds = self.maps.seeds
        rows = np.flatnonzero((seeds["seed"].isin(names) | (seeds["group"] == "null")).to_numpy())
        subject_z = None if self.subject_z is None else self.subject_z[:, rows]
        return replace(self, maps=self.maps.take(rows), subject_z=subject_z)


def primary_targets(targets: Sequence[Target]) -> list[Target]:
    """Return the analgesic targets, one for each site and side, alternatives left aside."""
    return [t for t in targets if t.role == "analgesic" and t.is_first_choice]


def alternative_targets(
    targets: Sequence[Target], mapped: Collection[str], kind: str = "coordinate"
) -> list[Target]:
    """Return the primary targets with published alternatives in their place where there are any.

    Parameters
    ----------
    targets : sequence of Target
        The protocol's table.
    mapped : collection of str
        Targets that the connectome can map; an alternative that it cannot map replaces nothing.
    kind : str
        Which alternatives (column ``alternative_kind``); the first of several is taken.
    """
    found: dict[str, Target] = {}
    for target in targets:
        usable = target.role == "analgesic" and target.target_id in mapped
        if usable and target.alternative_kind == kind:
            found.setdefault(str(target.alternative_to), target)
    return [found.get(t.target_id, t) for t in primary_targets(targets)]


def displaced_targets(targets: Sequence[Target], millimetres: float, seed: int) -> list[Target]:
    """Return the targets moved by a fixed distance, each in a random direction."""
    random = np.random.default_rng(seed)
    directions = random.standard_normal((len(targets), 3))
    directions *= millimetres / np.linalg.norm(directions, axis=1, keepdims=True)
    return [
        replace(t, x=t.x + d[0], y=t.y + d[1], z=t.z + d[2])
        for t, d in zip(targets, directions, strict=True)
    ]


def analyse(
    store: Store,
    targets: Sequence[Target],
    *,
    null_seeds_per_target: int = 30,
    seed: int = 20220121,
    minimum_coverage: float = MINIMUM_COVERAGE,
    subjects: bool = True,
) -> Analysis:
    """Map targets and matched random seeds in one connectome.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    targets : sequence of Target
        Sites to map.
    null_seeds_per_target : int
        Random spheres drawn for each target, matched for tissue class, hemisphere, radius and
        coverage; targets alike in these share one pool. 0 for none.
    seed : int
        Seed of the random generator.
    minimum_coverage : float
        Below it a target is not represented.
    subjects : bool
        Whether subjects' own maps are kept, where they fit in memory.
    """
    placed = _placed(targets, store, minimum_coverage)
    mapped = set(placed.loc[placed["outcome"] == "mapped", "target_id"])
    kept = [place_seed(t, store.space, minimum_coverage) for t in targets if t.name in mapped]
    by_name = {t.name: t for t in targets}
    null, unmatched = _null_seeds(kept, store, null_seeds_per_target, seed)
    kept = [s for s in kept if s.name not in unmatched]
    of_unmatched = placed["target_id"].isin(unmatched)
    placed.loc[of_unmatched, "outcome"] = "not matched"
    placed.loc[of_unmatched, "reason"] = placed.loc[of_unmatched, "target_id"].map(unmatched)
    described = pd.DataFrame([_described(s, by_name.get(s.name)) for s in [*kept, *null]])
    folder = _map_into_store(store, [*kept, *null])
    z, t, own = (open_rows(folder / f"{name}.npy") for name in ("z", "t", "own"))
    subject_z = None
    if subjects and store.n_subjects * len(described) * store.n_locations <= KEPT_VALUES:
        subject_z = np.stack([z for _, z in subject_maps(store, [*kept, *null])])
    return Analysis(
        store.name,
        store.simulated,
        store.space,
        MapSet(described, z, t, own, store.n_subjects),
        folder,
        subject_z,
        placed,
    )


def subject_values(
    analysis: Analysis, store: Store, targets: Sequence[Target], places: np.ndarray
) -> np.ndarray:
    """Return every subject's Fisher z for the mapped targets at some locations.

    Parameters
    ----------
    analysis : Analysis
        What is kept of the subjects' maps is taken from it.
    store : Store
        The connectome behind it; read again, subject by subject, where nothing was kept.
    targets : sequence of Target
        At least those of the analysis.
    places : ndarray of int
        Locations.

    Returns
    -------
    ndarray, shape (n_subjects, n_targets, n_places), float32
        Targets in the order of ``analysis.targets``.
    """
    if analysis.subject_z is not None:
        return analysis.subject_z[:, analysis.target_rows][:, :, places]
    by_name = {t.name: t for t in targets}
    names = analysis.targets.seeds["seed"]
    # whether they are represented was decided before
    seeds = [place_seed(by_name[name], store.space, minimum_coverage=0) for name in names]
    return np.stack([z[:, places] for _, z in subject_maps(store, seeds)])


def spread_places(analysis: Analysis) -> np.ndarray:
    """Return evenly spread locations, so many that subjects' values for all targets fit in memory.

    All of them for a connectome of parcels; every so many-th voxel of a large one.
    """
    values = analysis.maps.n_subjects * len(analysis.target_rows) * analysis.space.n_locations
    return np.arange(0, analysis.space.n_locations, max(1, -(-values // KEPT_VALUES)))


def _map_into_store(store: Store, seeds: Sequence[Seed]) -> Path:
    """Map seeds in one pass into a folder of the store that is named by them; return the folder."""
    name = digest_of(identity_of(store, seeds, "fisher-z", "float64"))[:16]
    folder = store.folder / "maps" / name
    map_dictionary(store, seeds, folder, dtype="float64")
    if not (folder / "own.npy").is_file():
        weights = seed_matrix(seeds, store.space)
        rows = ((weights[[row]] > 0).toarray() for row in range(len(seeds)))
        write_rows(folder / "own.npy", weights.shape, "bool", rows)
    return folder


def _null_seeds(
    seeds: Sequence[Seed], store: Store, per_target: int, seed: int
) -> tuple[list[Seed], dict[str, str]]:
    """Draw random seeds for each kind of target; name the targets that nothing matches, and why."""
    pools: dict[tuple, list[Seed]] = {}
    for one in seeds:
        kind = (*_class(one), one.radius, round(one.coverage, 1))
        pools.setdefault(kind, []).append(one)
    drawn: list[Seed] = []
    unmatched: dict[str, str] = {}
    for number, members in enumerate(pools.values() if per_target else ()):
        wanted = max(MINIMUM_POOL, per_target * len(members))
        try:
            found = random_seeds(store.space, wanted, members[0], seed + number)
        except InputError as error:
            unmatched |= dict.fromkeys((m.name for m in members), error.what)
            continue
        drawn += [replace(s, name=f"pool{number:02d}-{s.name}") for s in found]
    return drawn, unmatched


def _class(seed: Seed) -> tuple[str, str]:
    return str(tissue_class(np.array([seed.centre]))[0]), str(
        hemisphere(np.array([seed.centre[0]]))[0]
    )


def _described(seed: Seed, target: Target | None) -> dict[str, str]:
    tissue, side = _class(seed)
    return {
        "seed": seed.name,
        "label": target.label if target else seed.name,
        "group": target.group if target else "null",
        "role": target.role if target else "null",
        "tissue": tissue,
        "hemisphere": side,
    }


def _placed(targets: Sequence[Target], store: Store, minimum_coverage: float) -> pd.DataFrame:
    """Say of each target whether it is mapped, and if not, why."""
    table = coverage_table(targets, {store.name: store.space}, minimum_coverage)
    order = {target.name: number for number, target in enumerate(targets)}
    rows = []
    for target, found in zip(targets, table.itertuples(), strict=True):
        earlier = [name for name in found.same_as if order[name] < order[target.name]]
        if not found.represented:
            outcome, reason = "not represented", "; ".join(found.notes)
        elif earlier:
            outcome, reason = "not told apart", f"the same regions as {earlier[0]}"
        else:
            outcome, reason = "mapped", "; ".join(found.notes)
        rows.append(
            {
                "target_id": target.target_id,
                "label": target.label,
                "group": target.group,
                "role": target.role,
                "coverage": found.coverage,
                "outcome": outcome,
                "held_by": found.held_by,
                "reason": reason,
            }
        )
    return pd.DataFrame(rows)
