"""Clean every run of a connectome once, and keep it in the form in which mapping is fastest.

Subject by subject: a subject is in the store whole or not at all, so a preparation that was
stopped goes on where it stopped. Only one subject is in memory at a time.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from compendium.connectome.cleaning import BLOCK, Cleaning, CleanRun, clean_run
from compendium.connectome.disk import explaining_full_disk, free_bytes, refuse_if_too_small
from compendium.connectome.model import Connectome, Subject
from compendium.connectome.rounding import Probe, measured_error
from compendium.connectome.store import DTYPES, FORMAT, SCALE, VERSION, Store, open_store
from compendium.connectome.stored_space import space_digest, write_space
from compendium.connectome.writing import digest_of, write_array, write_json, write_rows
from compendium.errors import InputError
from compendium.files import sha256_of


@dataclass(frozen=True)
class Options:
    """How a connectome is prepared.

    Attributes
    ----------
    cleaning : Cleaning
        Band and global-signal regression.
    dtype : {"int16", "float32"}
        int16 rounds every number to 1/32767 of a row's length, which moves t by about a
        thousandth (the manifest says by how much in this connectome); float32 is exact and
        takes twice the space.
    """

    cleaning: Cleaning = field(default_factory=Cleaning)
    dtype: str = "int16"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(
                f"a store keeps {' or '.join(DTYPES)}, not {self.dtype}",
                remedy="half precision is coarser and slower than int16",
            )


def prepare(
    connectome: Connectome,
    folder: Path,
    options: Options | None = None,
    *,
    announce: Callable[[str], None] = lambda text: None,
    progress: bool = False,
) -> Store:
    """Prepare a connectome, or go on preparing it, or return what is already prepared.

    Parameters
    ----------
    connectome : Connectome
        What to prepare.
    folder : Path
        Where the store lies or will lie.
    options : Options, optional
        Default: no band, no global-signal regression, int16.
    announce : callable
        Told, before anything large is written, how much disk the store needs.
    progress : bool
        Whether a progress bar is shown on stderr.

    Returns
    -------
    Store

    Raises
    ------
    InputError
        If the folder holds another preparation, the disk is too small or fills up, or a subject
        cannot be used; the message names the subject. Subjects finished before stay.

    Examples
    --------
    >>> import tempfile
    >>> from compendium.connectome.simulate import PRESETS, simulate_connectome
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = prepare(simulate_connectome(**PRESETS["test"]), Path(folder))
    >>> store.n_subjects, store.dtype.name, [run.df for run in store.subjects[0].runs]
    (6, 'int16', [59, 59])
    """
    folder, options = Path(folder), options or Options()
    if not connectome.subject_ids:
        raise InputError("the connectome has no subjects", where=connectome.name)
    plan = preparation(connectome, options)
    fingerprints = _Fingerprints(connectome)
    finished = _resume(folder, plan, fingerprints)
    if finished is not None:
        return finished
    names = _file_names(connectome.subject_ids)
    with explaining_full_disk(folder):
        write_json(folder / "preparing.json", plan)
    entries, announced = [], False
    for subject_id in tqdm(
        connectome.subject_ids,
        desc=f"preparing {connectome.name}",
        unit="subject",
        disable=None if progress else True,
    ):
        entry = _finished_subject(
            folder, names[subject_id], subject_id, options.dtype, fingerprints
        )
        if entry is None:
            subject = connectome.load_subject(subject_id)
            runs = _clean(subject, connectome, options)
            if not announced:
                remaining = connectome.n_subjects - len(entries)
                _announce_need(folder, connectome, runs, options, remaining, announce)
                announced = True
            with explaining_full_disk(folder):
                entry = _write_subject(
                    folder, names[subject_id], subject, runs, options, fingerprints
                )
        entries.append(entry)
    with explaining_full_disk(folder):
        _finish(folder, connectome, plan, entries, names)
    return open_store(folder)


def preparation(connectome: Connectome, options: Options) -> dict:
    """Return what identifies a preparation: two with the same plan give the same store."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "connectome": {
            "name": connectome.name,
            "simulated": connectome.simulated,
            "provenance": connectome.provenance,
        },
        "space": space_digest(connectome.space),
        "subject_ids": list(connectome.subject_ids),
        "options": options.cleaning.as_dict(),
        "dtype": options.dtype,
    }


class _Fingerprints:
    """Digests of the files that each subject is read from; a shared file is read once."""

    def __init__(self, connectome: Connectome) -> None:
        self._sources = connectome.sources
        self._known: dict[Path, str] = {}

    def __call__(self, subject_id: str) -> list[dict]:
        entries = []
        for path in self._sources.get(subject_id, ()):
            if path not in self._known:
                if not path.is_file():
                    raise InputError(f"a file of subject {subject_id} is missing", where=str(path))
                self._known[path] = sha256_of(path)
            entries.append({"name": path.name, "sha256": self._known[path]})
        return entries


def _resume(folder: Path, plan: dict, fingerprints: _Fingerprints) -> Store | None:
    """Return the store if it is finished, None if there is work left; refuse another's folder."""
    begun = folder / "preparing.json"
    if not begun.is_file():
        # hidden files are another process's, which has begun the same store in this moment
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise InputError(
                "the folder holds something else", where=str(folder), remedy="name another folder"
            )
        return None
    # what JSON cannot tell apart (tuples and lists) must not look like a difference
    known = _read_json(begun)
    if known is None:
        raise InputError(
            "the note of what is prepared here is damaged",
            where=str(begun),
            remedy="delete the store and prepare it anew, or name another folder",
        )
    if digest_of(known) != digest_of(plan):
        raise InputError(
            "the folder holds a preparation of other data or with other options",
            where=str(folder),
            remedy="name another folder, or delete this one",
        )
    if not (folder / "manifest.json").is_file():
        return None
    store = open_store(folder)
    changed = [
        entry["id"]
        for entry in store.manifest["subjects"]
        if entry["sources"] != fingerprints(entry["id"])
    ]
    if changed:
        raise InputError(
            f"the source of {len(changed)} subjects changed after they were prepared "
            f"(first: {changed[0]})",
            where=str(folder),
            remedy="delete the store, or name another folder",
        )
    return store


def _finished_subject(
    folder: Path, name: str, subject_id: str, dtype: str, fingerprints: _Fingerprints
) -> dict | None:
    """Return the entry of a subject that is already whole in the store."""
    sidecar = folder / f"subjects/{name}.json"
    if not sidecar.is_file():
        return None
    entry = _read_json(sidecar)
    try:
        sizes = {file["name"]: file["bytes"] for file in entry["files"]}
        same = entry["sources"] == fingerprints(subject_id)
    except (ValueError, TypeError, KeyError):  # a damaged entry counts as none: it is made anew
        return None
    whole = all(
        (folder / file).is_file() and (folder / file).stat().st_size == size
        for file, size in sizes.items()
    )
    # without the probes of every subject the error of rounding cannot be told
    probed = dtype != "int16" or (folder / f"probes/{name}.npy").is_file()
    return entry if whole and probed and same else None


def _read_json(path: Path) -> dict | None:
    """Return what a file of the store says; None if it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _file_names(subject_ids: Sequence[str]) -> dict[str, str]:
    names = {name: re.sub(r"[^A-Za-z0-9._-]", "-", name) for name in subject_ids}
    if len({name.casefold() for name in names.values()}) < len(subject_ids):
        raise InputError("two subjects have the same identifier, or one that differs only in case")
    return names


def _announce_need(
    folder: Path,
    connectome: Connectome,
    runs: list[CleanRun],
    options: Options,
    remaining: int,
    announce: Callable[[str], None],
) -> None:
    columns = sum(run.n_columns for run in runs)
    size = np.dtype(options.dtype).itemsize
    per_subject = connectome.space.n_locations * (columns * size + 4 * len(runs))
    need = remaining * per_subject
    announce(
        f"{connectome.name}: {remaining} subjects of {connectome.n_subjects} to prepare, about "
        f"{need / 1e9:.2f} GB ({per_subject / 1e6:.1f} MB each, judged by the first); "
        f"{free_bytes(folder) / 1e9:.1f} GB are free"
    )
    refuse_if_too_small(folder, need)


def _clean(subject: Subject, connectome: Connectome, options: Options) -> list[CleanRun]:
    n_locations = connectome.space.n_locations
    if not subject.runs:
        raise InputError("the subject has no runs", where=subject.id)
    series = subject.confounds or (None,) * len(subject.runs)
    if len(series) != len(subject.runs):
        raise InputError(
            f"{len(series)} tables of confounds for {len(subject.runs)} runs", where=subject.id
        )
    cleaned = []
    for number, (run, regressors) in enumerate(zip(subject.runs, series, strict=True), start=1):
        where = f"subject {subject.id}, run {number}"
        if np.ndim(run) == 2 and run.shape[1] != n_locations:
            raise InputError(
                f"{run.shape[1]} locations, the connectome has {n_locations}",
                where=where,
                remedy="bring all subjects to one grid and mask",
            )
        cleaned.append(clean_run(run, options.cleaning, subject.repetition_time, regressors, where))
    return cleaned


def _write_subject(
    folder: Path,
    name: str,
    subject: Subject,
    runs: list[CleanRun],
    options: Options,
    fingerprints: _Fingerprints,
) -> dict:
    """Write the rows, the SDs and, last, the entry that makes the subject count as whole."""
    paths = [f"subjects/{name}.npy", f"sd/{name}.npy"]
    n_locations = runs[0].run.shape[1]
    sd = np.empty((n_locations, len(runs)), np.float32)
    ends = np.cumsum([run.n_columns for run in runs])
    columns = [slice(end - run.n_columns, end) for run, end in zip(runs, ends, strict=True)]
    probe = Probe(n_locations, columns)
    shape = (n_locations, int(ends[-1]))
    blocks = _rows(runs, sd, probe, options.dtype)
    digest = write_rows(folder / paths[0], shape, options.dtype, blocks)
    write_array(folder / paths[1], sd)
    if options.dtype == "int16":
        write_array(folder / f"probes/{name}.npy", probe.z(sd))
    entry = {
        "id": subject.id,
        "repetition_time": subject.repetition_time,
        "runs": [
            {
                "volumes": run.n_volumes,
                "columns": run.n_columns,
                "regressors": run.n_regressors,
                "df": run.df,
            }
            for run in runs
        ],
        "missing": int(np.isnan(sd).sum()),
        "sources": fingerprints(subject.id),
        "files": [
            {
                "name": path,
                "bytes": (folder / path).stat().st_size,
                "sha256": sha256,
            }
            for path, sha256 in zip(paths, (digest, sha256_of(folder / paths[1])), strict=True)
        ],
    }
    write_json(folder / f"subjects/{name}.json", entry)
    return entry


def _rows(runs: list[CleanRun], sd: np.ndarray, probe: Probe, dtype: str) -> Iterator[np.ndarray]:
    """Yield the rows block by block; fill in the SDs and the probes on the way."""
    for start in range(0, len(sd), BLOCK):
        stop = min(start + BLOCK, len(sd))
        rows = np.empty((stop - start, probe.columns[-1].stop), dtype)
        for number, (run, columns) in enumerate(zip(runs, probe.columns, strict=True)):
            unit, sd[start:stop, number] = run.block(start, stop)
            probe.look_exact(start, columns, unit)
            if dtype == "int16":
                unit *= 1 / SCALE
                np.rint(unit, out=unit)
            rows[:, columns] = unit.astype(dtype).T
        probe.look_stored(start, rows)
        yield rows


def _finish(
    folder: Path, connectome: Connectome, plan: dict, entries: list[dict], names: dict[str, str]
) -> None:
    """Write the space, the counts of missing signal and, last, the manifest."""
    missing = np.zeros(connectome.space.n_locations, np.int32)
    for entry in entries:
        if entry["missing"]:
            missing += np.isnan(np.load(folder / entry["files"][1]["name"])).sum(
                axis=1, dtype=np.int32
            )
    write_array(folder / "missing.npy", missing)
    manifest = {key: plan[key] for key in ("format", "version", "connectome", "options", "dtype")}
    manifest |= {
        "scale": SCALE if plan["dtype"] == "int16" else 1.0,
        "columns": "volumes" if plan["options"]["band"] is None else "cosine coefficients",
        "space": write_space(folder / "space", connectome.space),
        "subjects": entries,
        "locations_missing_somewhere": int((missing > 0).sum()),
        "missing_sha256": hashlib.sha256(missing.tobytes()).hexdigest(),
        "rounding": measured_error(folder / "probes", [names[entry["id"]] for entry in entries])
        if plan["dtype"] == "int16"
        else None,
    }
    manifest["sha256"] = digest_of(manifest)
    write_json(folder / "manifest.json", manifest)
