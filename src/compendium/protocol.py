"""The protocol: everything a review decides beforehand, read from one folder."""

from dataclasses import dataclass
from pathlib import Path

from compendium.codebook import Codebook, read_codebook
from compendium.eligibility import Eligibility, read_eligibility
from compendium.errors import InputError


@dataclass(frozen=True)
class Protocol:
    """What a review lays down before it looks at records.

    Attributes
    ----------
    folder : Path
    eligibility : Eligibility
        Which records are in, with coded reasons.
    codebook : Codebook
        What they are coded for.
    search, countries, targets : Path
        The files that the rooms `search`, `records` and `targets` read with readers of their own;
        they need not exist for screening and classification.
    """

    folder: Path
    eligibility: Eligibility
    codebook: Codebook
    search: Path
    countries: Path
    targets: Path


def read_protocol(folder: Path) -> Protocol:
    """Read a protocol folder.

    Parameters
    ----------
    folder : Path
        Holds ``eligibility.yml`` and ``codebook.yml``.

    Returns
    -------
    Protocol

    Raises
    ------
    InputError
        With file, line and key of what is wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "no such folder", where=str(folder), remedy="name a protocol folder like data/protocol"
        )
    return Protocol(
        folder=folder,
        eligibility=read_eligibility(folder / "eligibility.yml"),
        codebook=read_codebook(folder / "codebook.yml"),
        search=folder / "search.yml",
        countries=folder / "countries.csv",
        targets=folder / "targets.csv",
    )
