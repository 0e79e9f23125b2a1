"""The same connectome written in every layout that the readers know."""

import json
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from scipy.io import savemat

from compendium.connectome.model import Connectome, VoxelSpace


def volumes(run: np.ndarray, space: VoxelSpace) -> np.ndarray:
    """Return a run as a 4D array; 0 outside the mask."""
    data = np.zeros((*space.shape, len(run)), np.float32)
    data[tuple(space.indices.T)] = run.T
    return data


def write_leaddbs(
    connectome: Connectome,
    folder: Path,
    *,
    hdf: bool = False,
    time_first: bool = False,
    extra: dict | None = None,
) -> Path:
    """Write a Lead-DBS folder, in MAT v5 or (`hdf`) v7.3, gmtc voxel-first or time-first."""
    space = connectome.space
    (folder / "vol").mkdir(parents=True)
    info = {
        "type": "fMRI_timecourses",
        "subsets": [{"name": "Two", "subs": [1, 3]}],
        "formatversion": 1.1 if time_first else 1.0,
        **(extra or {}),
    }
    (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    # MATLAB counts voxels from 1, along the first axis first
    outidx = np.ravel_multi_index(space.indices.T, space.shape, order="F") + 1
    # SPM's affine maps the first voxel, (1, 1, 1), to its place
    matrix = space.affine.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ np.ones(3)
    names = {}
    for subject in connectome.iter_subjects():
        names[subject.id] = [f"{subject.id}_run{number + 1}" for number in range(len(subject.runs))]
        for name, run in zip(names[subject.id], subject.runs, strict=True):
            gmtc = run if time_first else run.T
            if hdf:
                with h5py.File(folder / "vol" / f"{name}.mat", "w") as file:
                    file["gmtc"] = gmtc.T  # MATLAB stores arrays transposed
            else:
                savemat(folder / "vol" / f"{name}.mat", {"gmtc": gmtc}, do_compression=True)
    cells = [[subject, *runs] for subject, runs in names.items()]
    path = folder / "dataset_volsurf.mat"
    if hdf:
        _write_hdf_volume(path, matrix, space.shape, outidx, cells)
    else:
        outer = np.empty((len(cells), 1), object)
        for number, cell in enumerate(cells):
            inner = np.empty((1, len(cell)), object)
            inner[0] = cell
            outer[number, 0] = inner
        description = {"mat": matrix, "dim": np.array(space.shape, float), "fname": "222.nii"}
        savemat(
            path,
            {"vol": {"space": description, "outidx": outidx[:, None], "subIDs": outer}},
        )
    return folder


def _write_hdf_volume(path, matrix, shape, outidx, cells) -> None:
    with h5py.File(path, "w") as file:
        vol = file.create_group("vol")
        grid = vol.create_group("space")
        grid["mat"], grid["dim"] = matrix.T, np.array(shape, float)[:, None]
        vol["outidx"] = outidx[None].astype(float)
        store = file.create_group("#refs#")
        outer = []
        for number, cell in enumerate(cells):
            inner = []
            for position, text in enumerate(cell):
                name = f"t{number}_{position}"
                store[name] = np.array([[ord(letter)] for letter in text], np.uint16)
                inner.append(store[name].ref)
            store[f"c{number}"] = np.array(inner, h5py.ref_dtype)[:, None]
            outer.append(store[f"c{number}"].ref)
        vol["subIDs"] = np.array(outer, h5py.ref_dtype)[None]


def write_gsp(connectome: Connectome, folder: Path, *, scaled: bool = False) -> Path:
    """Write the GSP1000 release's layout; `scaled` stores int16 with a slope and an intercept."""
    for subject in connectome.iter_subjects():
        func = folder / f"sub-{subject.id.replace('-', '')}" / "func"
        func.mkdir(parents=True)
        for number, run in enumerate(subject.runs, start=1):
            data = volumes(run, connectome.space)
            image = nib.Nifti1Image(data, connectome.space.affine)
            if scaled:
                image.set_data_dtype(np.int16)
            image.header.set_xyzt_units("mm", "sec")
            image.header["pixdim"][4] = subject.repetition_time
            name = f"{func.parent.name}_bld{number:03d}_rest_skip4_finalmask.nii.gz"
            nib.save(image, func / name)
    return folder


def write_mask(connectome: Connectome, path: Path) -> Path:
    """Write the connectome's voxels as a mask image."""
    inside = np.zeros(connectome.space.shape, np.uint8)
    inside[tuple(connectome.space.indices.T)] = 1
    nib.save(nib.Nifti1Image(inside, connectome.space.affine), path)
    return path


def write_nimlab(connectome: Connectome, folder: Path) -> Path:
    """Write half-precision series, runs joined, not demeaned, with norms that overflow."""
    folder.mkdir(parents=True)
    write_mask(connectome, folder / "mask.nii.gz")
    order = np.lexsort(connectome.space.indices.T[::-1])  # C order
    for subject in connectome.iter_subjects():
        joined = np.concatenate([run - run.mean(axis=0) for run in subject.runs]) + 40
        np.save(folder / f"{subject.id}.npy", joined[:, order].astype(np.float16))
        np.save(folder / f"{subject.id}_norms.npy", np.full(joined.shape[1], np.inf, np.float16))
    return folder


def write_bids(connectome: Connectome, folder: Path, *, desc: str, space: str) -> Path:
    """Write BIDS derivatives: ``desc`` is preproc (with confounds added) or denoised."""
    for subject in connectome.iter_subjects():
        name = f"sub-{subject.id.replace('-', '')}"
        func = folder / name / "func"
        func.mkdir(parents=True)
        for number, run in enumerate(subject.runs, start=1):
            stem = f"{name}_task-rest_run-{number}"
            if desc == "preproc":
                run = run + write_confounds(func, stem, len(run), seed=number)
            image = nib.Nifti1Image(volumes(run, connectome.space), connectome.space.affine)
            nib.save(image, func / f"{stem}_space-{space}_desc-{desc}_bold.nii.gz")
            (func / f"{stem}_space-{space}_desc-{desc}_bold.json").write_text(
                json.dumps({"RepetitionTime": subject.repetition_time}), encoding="utf-8"
            )
            write_mask(connectome, func / f"{stem}_space-{space}_desc-brain_mask.nii.gz")
    return folder


def write_confounds(func: Path, stem: str, n_volumes: int, seed: int) -> np.ndarray:
    """Write fMRIPrep's confounds; return what they add to every voxel, (n_volumes, 1)."""
    rng = np.random.default_rng(seed)
    table = {}
    for axis in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        series = rng.standard_normal(n_volumes).cumsum()
        change = np.concatenate([[np.nan], np.diff(series)])
        table |= {
            axis: series,
            f"{axis}_derivative1": change,
            f"{axis}_power2": series**2,
            f"{axis}_derivative1_power2": change**2,
        }
    table |= {
        "csf": rng.standard_normal(n_volumes),
        "white_matter": rng.standard_normal(n_volumes),
        "cosine00": np.cos(np.pi * (np.arange(n_volumes) + 0.5) / n_volumes),
    }
    frame = pd.DataFrame(table)
    frame.to_csv(
        func / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
    )
    (func / f"{stem}_desc-confounds_timeseries.json").write_text("{}", encoding="utf-8")
    return (3 * frame["csf"] + frame["trans_x"] + 2 * frame["cosine00"]).to_numpy()[:, None]


def write_cifti(connectome: Connectome, folder: Path) -> list[Path]:
    """Write dtseries with a third of the voxels as vertices; return the two surfaces."""
    space = connectome.space
    folder.mkdir(parents=True)
    number = np.arange(space.n_locations)
    places = space.coordinates
    cortical, left = number % 3 == 0, places[:, 0] < 0
    sides = [number[cortical & left], number[cortical & ~left]]
    deep = number[number % 3 != 0]
    surfaces, models = [], []
    for side, chosen in zip(("LEFT", "RIGHT"), sides, strict=True):
        # every second vertex of the surface is a medial wall that the series leave out
        points = np.repeat(places[chosen], 2, axis=0).astype(np.float32)
        points[1::2] += 500
        surface = nib.GiftiImage(
            darrays=[
                nib.gifti.GiftiDataArray(points, intent="NIFTI_INTENT_POINTSET"),
                nib.gifti.GiftiDataArray(
                    np.zeros((1, 3), np.int32), intent="NIFTI_INTENT_TRIANGLE"
                ),
            ]
        )
        surfaces.append(folder / f"{side}.midthickness.surf.gii")
        nib.save(surface, surfaces[-1])
        models.append(
            nib.cifti2.BrainModelAxis.from_surface(
                np.arange(0, len(points), 2),
                len(points),
                name=f"cortex_{side.lower()}",
            )
        )
    inside = np.zeros(space.shape, bool)
    inside[tuple(space.indices[deep].T)] = True
    deep = deep[np.lexsort(space.indices[deep].T[::-1])]
    models.append(
        nib.cifti2.BrainModelAxis.from_mask(inside, affine=space.affine, name="thalamus_left")
    )
    columns = np.concatenate([*sides, deep])
    axis = models[0] + models[1] + models[2]
    for subject in connectome.iter_subjects():
        for run, series in enumerate(subject.runs, start=1):
            times = nib.cifti2.SeriesAxis(0, subject.repetition_time, len(series))
            image = nib.Cifti2Image(series[:, columns], header=(times, axis))
            name = f"sub-{subject.id.replace('-', '')}_task-rest_run-{run}_space-fsLR_den-91k"
            nib.save(image, folder / f"{name}_desc-denoised_bold.dtseries.nii")
    return surfaces


def write_parcellated(connectome: Connectome, folder: Path, n_parcels: int = 12) -> np.ndarray:
    """Write XCP-D's tables and atlas; return each voxel's parcel (1 to n)."""
    space = connectome.space
    angle = np.arctan2(space.coordinates[:, 1] + 20, space.coordinates[:, 0])
    parcel = np.clip(((angle + np.pi) / (2 * np.pi) * n_parcels).astype(int), 0, n_parcels - 1) + 1
    labels = np.zeros(space.shape, np.int32)
    labels[tuple(space.indices.T)] = parcel
    atlases = folder / "sourcedata" / "atlases" / "atlas-Pie"
    atlases.mkdir(parents=True)
    nib.save(
        nib.Nifti1Image(labels, space.affine),
        atlases / "atlas-Pie_space-MNI152NLin2009aSym_dseg.nii.gz",
    )
    names = [f"Slice{number}" for number in range(1, n_parcels + 1)]
    pd.DataFrame({"index": range(1, n_parcels + 1), "label": names}).to_csv(
        atlases / "atlas-Pie_dseg.tsv", sep="\t", index=False
    )
    for subject in connectome.iter_subjects():
        name = f"sub-{subject.id.replace('-', '')}"
        func = folder / name / "func"
        func.mkdir(parents=True)
        for number, run in enumerate(subject.runs, start=1):
            means = np.column_stack(
                [run[:, parcel == one].mean(axis=1) for one in range(1, n_parcels + 1)]
            )
            table = pd.DataFrame(means, columns=names)
            if number == 1:
                table["Slice3"] = np.nan
            stem = f"{name}_task-rest_run-{number}_space-MNI152NLin2009aSym_atlas-Pie"
            table.to_csv(
                func / f"{stem}_stat-mean_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
            )
    return parcel
