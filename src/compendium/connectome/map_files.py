"""The maps of a chapter as a folder for others: BIDS-named files, sidecars and an index."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from compendium import __version__
from compendium.connectome.analysis import Analysis
from compendium.connectome.mapping import map_seeds
from compendium.connectome.outputs import save_maps
from compendium.connectome.seeds import place_seed
from compendium.connectome.store import Store
from compendium.connectome.writing import write_json
from compendium.files import sha256_of
from compendium.targets import Target

INDEX = "maps.json"
PROJECT = "pain-neuromodulation-compendium"
DESCRIPTION = {
    "Name": "Connectivity maps of stimulation targets",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "GeneratedBy": [{"Name": PROJECT, "Version": __version__}],
}


def write_maps(
    analyses: Mapping[tuple[str, ...], Analysis],
    stores: Mapping[tuple[str, ...], Store],
    targets: Sequence[Target],
    folder: Path,
) -> Path:
    """Write the group maps of every mapped target in every connectome.

    Parameters
    ----------
    analyses : mapping
        Choices (connectome, handling of the global signal) → analysis, which says what is mapped.
    stores : mapping
        The same keys → the connectome behind it; one folder is named by each.
    targets : sequence of Target
        At least those of the analyses.
    folder : Path
        Whatever an earlier run left in it is removed.

    Returns
    -------
    Path
        ``maps.json``: every file with its SHA-256, written last; where it is, all is there.
    """
    folder = Path(folder)
    (folder / INDEX).unlink(missing_ok=True)
    by_name = {target.target_id: target for target in targets}
    write_json(folder / "dataset_description.json", DESCRIPTION)
    written = [folder / "dataset_description.json"]
    for key, analysis in analyses.items():
        store = stores[key]
        # whether they are represented was decided before
        seeds = [
            place_seed(by_name[name], store.space, minimum_coverage=0)
            for name in analysis.targets.seeds["seed"]
        ]
        written += save_maps(map_seeds(store, seeds), folder / store.folder.name)
    for path in set(folder.rglob("*")) - set(written):
        if path.is_file():
            path.unlink()
    for path in folder.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(written)}
    write_json(folder / INDEX, digests)
    return folder / INDEX
