"""Maps as files: images of voxels, tables of parcels, and beside each what it rests on.

Names follow BIDS (key-value pairs, statistic last); whatever rests on simulated data says so in
its name, in its sidecar and in its header.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from compendium.connectome.mapping import subject_maps
from compendium.connectome.maps import STATISTICS, SeedMaps
from compendium.connectome.model import ParcelSpace, Space, VoxelSpace
from compendium.connectome.seeds import Seed, SeedRefusedError
from compendium.connectome.store import Store
from compendium.connectome.writing import write_image, write_json
from compendium.errors import InputError
from compendium.tables import write_table

SIMULATED = "simulated data: no evidence about any brain"
NO_SIGNAL = "no subject has signal in the seed"
# statistic → how Lead-DBS names it
LEAD_DBS: dict[str, str] = {"r": "AvgR", "rvariance": "VarR", "z": "AvgRFz", "t": "T"}


def paint(space: Space, values: np.ndarray) -> np.ndarray:
    """Return one value a location on the space's grid, float32; unknown values become 0.

    Parameters
    ----------
    space : VoxelSpace or ParcelSpace
        Where the values lie.
    values : ndarray, shape (n_locations,)
        One a voxel or parcel.

    Returns
    -------
    ndarray, shape (x, y, z)
    """
    known = np.nan_to_num(np.asarray(values, np.float32), posinf=0, neginf=0)
    if isinstance(space, VoxelSpace):
        data = np.zeros(space.shape, np.float32)
        data[tuple(space.indices.T)] = known
        return data
    values_of_parcels = space.table["value"].to_numpy(int)
    # a parcel of the table need not be on the image
    highest = max(int(space.labels.max()), int(values_of_parcels.max()))
    by_value = np.zeros(highest + 1, np.float32)
    by_value[values_of_parcels] = known
    return by_value[space.labels]


def map_image(maps: SeedMaps, seed: str, statistic: str = "t") -> nib.Nifti1Image:
    """Return one statistic of one seed as an image; see `STATISTICS` for their names."""
    data = paint(maps.space, maps.statistic(statistic, seed))
    return nib.Nifti1Image(data, np.asarray(maps.space.affine, float))


def save_maps(maps: SeedMaps, folder: Path) -> list[Path]:
    """Write every map with a JSON sidecar.

    Parameters
    ----------
    maps : SeedMaps
        Group maps.
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        What was written. Voxels: one image a statistic and seed, but none of a statistic that
        is known nowhere (t of one subject); under the rule "mean-r" also the four maps of
        Lead-DBS under its names. Parcels: one table a seed.

    Raises
    ------
    InputError
        If two seeds have the same letters and digits in their names.
    """
    folder, written = Path(folder), []
    stems = file_stems(maps.names, maps.connectome, maps.space, maps.simulated)
    if maps.halves != (0, 1):
        half = f"_split-{maps.halves[0] + 1}"
        stems = {name: stem.replace("_space-", f"{half}_space-") for name, stem in stems.items()}
    for name, stem in stems.items():
        if isinstance(maps.space, VoxelSpace):
            files = {f"{stem}_stat-{statistic}_statmap": statistic for statistic in STATISTICS}
            if maps.rule == "mean-r":
                lead = f"{_label(name)}_conn-{_label(maps.connectome)}"
                stamp = "simulated" if maps.simulated else ""
                files |= {
                    f"{lead}_desc-{stamp}{theirs}_funcmap": ours
                    for ours, theirs in LEAD_DBS.items()
                }
            for file, statistic in files.items():
                values = maps.statistic(statistic, name)
                if not np.isfinite(values).any():
                    continue
                written.append(folder / f"{file}.nii.gz")
                note = SIMULATED if maps.simulated else ""
                write_image(written[-1], paint(maps.space, values), maps.space.affine, note)
        else:
            written.append(write_table(maps.table(name), folder / f"{stem}_stats.csv"))
        written.append(folder / f"{stem}.json")
        write_json(written[-1], describe(maps, name))
    return written


def save_subject_maps(
    store: Store, seeds: Sequence[Seed], folder: Path, *, rule: str = "fisher-z"
) -> list[Path]:
    """Write every subject's own maps of Fisher z, and nothing else.

    Parameters
    ----------
    store : Store
        A prepared connectome.
    seeds : sequence of Seed
        As placed in the store's space.
    folder : Path
        Made if missing.
    rule : {"fisher-z", "mean-r"}
        As in `compendium.connectome.mapping.map_seeds`.

    Returns
    -------
    list of Path
        Voxels: one image a subject and seed. Parcels: one table a subject, one column a seed.

    Raises
    ------
    InputError
        If two seeds or two subjects have the same letters and digits in their names; nothing is
        written then.
    """
    names = [seed.name for seed in seeds]
    stems = file_stems(names, store.name, store.space, store.simulated)
    labels = subject_labels(store)
    if isinstance(store.space, ParcelSpace) and "name" in names:
        raise InputError(
            "a seed of this name would be written over the names of the parcels",
            where="name",
            remedy="give it another name",
        )
    written = []
    for subject_id, z in subject_maps(store, seeds, rule=rule):
        subject = labels[subject_id]
        if isinstance(store.space, ParcelSpace):
            table = pd.DataFrame({"name": store.space.table["name"].to_numpy()})
            table[[seed.name for seed in seeds]] = z.T.astype(float)
            stem = re.sub(r"_seed-[^_]*", "", next(iter(stems.values())))
            path = Path(folder) / f"{subject}_{stem}_stat-z_maps.csv"
            written.append(write_table(table, path))
            continue
        for stem, values in zip(stems.values(), z, strict=True):
            written.append(Path(folder) / f"{subject}_{stem}_stat-z_statmap.nii.gz")
            note = SIMULATED if store.simulated else ""
            write_image(written[-1], paint(store.space, values), store.space.affine, note)
    return written


def seeds_table(
    maps: SeedMaps, refused: Sequence[SeedRefusedError], lost: Sequence[Seed]
) -> pd.DataFrame:
    """Return one row per seed that was asked for, mapped or not, and why.

    Parameters
    ----------
    maps : SeedMaps
        Of the seeds that were mapped.
    refused : sequence of SeedRefusedError
        Seeds that the connectome does not hold.
    lost : sequence of Seed
        Seeds that it holds, but in which no subject has signal.

    Returns
    -------
    DataFrame
        ``seed``, ``state`` (mapped, refused), ``coverage``, ``subjects`` (with signal in the
        seed), ``notes``, ``simulated``.
    """
    rows = []
    for seed, n in zip(maps.seeds, maps.n.max(axis=1).tolist(), strict=True):
        few = [f"signal in {n} of {maps.n_subjects} subjects"] if n < maps.n_subjects else []
        rows.append((seed.name, "mapped", seed.coverage, n, "; ".join([*seed.notes, *few])))
    rows += [(one.name, "refused", one.coverage, 0, one.what) for one in refused]
    rows += [(seed.name, "refused", seed.coverage, 0, NO_SIGNAL) for seed in lost]
    table = pd.DataFrame(rows, columns=["seed", "state", "coverage", "subjects", "notes"])
    return table.assign(simulated=maps.simulated)


def subject_labels(store: Store) -> dict[str, str]:
    """Return subject → beginning of its files' names; InputError if two are the same."""
    labels = {one.id: f"sub-{_label(one.id.removeprefix('sub-'))}" for one in store.subjects}
    return _told_apart(labels, "subjects")


def describe(maps: SeedMaps, seed: str) -> dict:
    """Return what a reader of one seed's map must know, as it stands in the sidecar."""
    one = maps.select([seed])
    placed, n = one.seeds[0], one.n
    return {
        "Simulated": maps.simulated,
        **({"Warning": SIMULATED} if maps.simulated else {}),
        "Connectome": maps.connectome,
        "Subjects": maps.n_subjects,
        "SubjectsAtALocation": {"fewest": int(n.min()), "most": int(n.max())},
        "DegreesOfFreedom": {"fewest": int(one.df.min()), "most": int(one.df.max())},
        "Threshold": "none: every location is given",
        "Seed": {
            "Name": placed.name,
            "Centre": placed.centre,
            "RadiusMillimetres": placed.radius,
            "Template": placed.template,
            "Locations": placed.n_locations,
            "Coverage": round(float(placed.coverage), 4),
            "Notes": list(placed.notes),
        },
        "Space": maps.space.template,
        "RunsCombinedBy": maps.rule,
        "Statistics": STATISTICS,
        "Preparation": maps.provenance,
    }


def file_stems(
    names: Sequence[str], connectome: str, space: Space, simulated: bool
) -> dict[str, str]:
    """Return seed → beginning of its files' names; InputError if two are the same."""
    stems = {
        name: "_".join(
            [
                f"conn-{_label(connectome)}",
                f"seed-{_label(name)}",
                f"space-{_label(space.template)}",
                *(["desc-simulated"] if simulated else []),
            ]
        )
        for name in names
    }
    return _told_apart(stems, "seeds")


def _told_apart(labels: dict[str, str], what: str) -> dict[str, str]:
    """Return the labels; InputError if those of two names differ in case at most."""
    by_label: dict[str, list[str]] = {}
    for name, label in labels.items():
        by_label.setdefault(label.casefold(), []).append(name)
    for names in by_label.values():
        if len(names) > 1:
            raise InputError(
                f"two {what} would be written to one file",
                where=", ".join(names),
                remedy=f"name {what} so that they differ in letters and digits",
            )
    return labels


def _label(name: str) -> str:
    """Return a BIDS label: letters and digits of English, and a digest where others are lost."""
    plain = unicodedata.normalize("NFKD", name)
    label = re.sub(r"[^0-9A-Za-z]", "", plain)
    lost = any(letter.isalnum() and not letter.isascii() for letter in plain)
    if lost or not label:
        label += hashlib.sha256(name.encode()).hexdigest()[:8]
    return label
