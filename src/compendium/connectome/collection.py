"""Which connectomes a chapter maps: the embedded ones, a simulated one, or a person's own."""

from collections.abc import Mapping
from pathlib import Path

from compendium.connectome.cleaning import Cleaning
from compendium.connectome.embedded import pain_connectome, rest_connectome
from compendium.connectome.model import Connectome
from compendium.connectome.prepare import Options, preparation, prepare
from compendium.connectome.simulate import PRESETS, simulate_connectome
from compendium.connectome.sources import open_connectome
from compendium.connectome.store import Store
from compendium.connectome.writing import digest_of

BAND = (0.008, 0.08)  # Hz; the pain-state set comes filtered to it
KEPT, REGRESSED = "kept", "regressed"


def embedded_stores(folder: Path, root: Path = Path()) -> dict[tuple[str, str], Store]:
    """Prepare the two embedded sets, each with the global signal kept and regressed out.

    Parameters
    ----------
    folder : Path
        Where stores are kept.
    root : Path
        The project's root, which holds the data packages.

    Returns
    -------
    dict
        (connectome, global signal) → store: ``REST`` and ``PAIN`` × ``kept`` and ``regressed``.
    """
    sources = {"REST": (rest_connectome, BAND), "PAIN": (pain_connectome, None)}
    return {
        (name, handling): _prepared(
            read(root),
            folder,
            f"{name.lower()}-global-{handling}",
            Options(cleaning=Cleaning(band=band, regress_global=handling == REGRESSED)),
        )
        for name, (read, band) in sources.items()
        for handling in (KEPT, REGRESSED)
    }


def simulated_store(folder: Path, preset: str = "book") -> Store:
    """Prepare the simulated voxelwise connectome; everything made from it is stamped simulated."""
    return _prepared(simulate_connectome(**PRESETS[preset]), folder, f"simulated-{preset}")


def own_store(source: str, folder: Path) -> dict[tuple[str, str], Store]:
    """Prepare a connectome that a person supplies, as it is: no filter, global signal untouched.

    Parameters
    ----------
    source : str
        Anything that `compendium.connectome.sources.open_connectome` reads.
    folder : Path
        Where stores are kept.
    """
    connectome = open_connectome(source)
    return {(connectome.name, "as supplied"): _prepared(connectome, folder, "own")}


def chosen_stores(
    connectome: str, folder: Path, root: Path = Path()
) -> Mapping[tuple[str, str], Store]:
    """Return a person's own connectome if one is named, otherwise the embedded ones."""
    return own_store(connectome, folder) if connectome else embedded_stores(folder, root)


def _prepared(
    connectome: Connectome, folder: Path, label: str, options: Options | None = None
) -> Store:
    """Prepare a connectome in a folder named after what it is, or find it prepared.

    Two are never mixed, and neither going back to the first nor a newer version of this package
    meets a folder of other data.
    """
    options = options or Options()
    name = f"{label}-{digest_of(preparation(connectome, options))[:12]}"
    return prepare(connectome, Path(folder) / name, options)
