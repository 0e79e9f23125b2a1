"""`compendium connectome`: from a folder in somebody's format to maps on disk."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.io import loadmat

from compendium.cli import main
from compendium.cli.connectome import connectome as command
from compendium.connectome.seeds import Sphere, place_seed
from compendium.connectome.simulate import simulate_connectome
from compendium.connectome.store import open_store
from compendium.errors import InputError
from tests.connectome_layouts import write_leaddbs
from tests.connectomes import made_once

CENTRE, RADIUS = (-37, -21, 58), 10


@pytest.fixture(scope="module")
def truth():
    return made_once(simulate_connectome(resolution=10, n_subjects=6, n_runs=2, n_volumes=60))


@pytest.fixture(scope="module")
def leaddbs(truth, tmp_path_factory):
    return write_leaddbs(truth, tmp_path_factory.mktemp("set") / "GSP")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("seeds") / "seeds.csv"
    path.write_text("name,x,y,z,radius_mm\nM1 hand,-37,-21,58,10\noutside,0,120,0,6\n")
    return path


@pytest.fixture(scope="module")
def store(leaddbs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "gsp"
    result = CliRunner().invoke(
        command, ["prepare", str(leaddbs), str(folder), "--dtype", "float32"]
    )
    assert result.exit_code == 0, result.output
    assert "6 subjects" in result.stdout
    assert "GB are free" in result.stderr
    return folder


def lead_dbs(folder, weights):
    """Lead-DBS's four maps, after its published description: plain loops over plain arrays."""
    volume = loadmat(folder / "dataset_volsurf.mat", squeeze_me=True)["vol"]
    fz, r_all = [], []
    for cells in volume["subIDs"].item():
        runs = []
        for name in cells[1:]:
            gmtc = loadmat(folder / "vol" / f"{name}.mat")["gmtc"].astype(float)
            idx = np.flatnonzero(weights)
            stc = (gmtc[idx] * weights[idx, None]).mean(axis=0)
            runs.append([np.corrcoef(stc, voxel)[0, 1] for voxel in gmtc])
        r_all.append(np.mean(runs, axis=0))
        fz.append(np.arctanh(r_all[-1]))
    fz, r_all = np.array(fz), np.array(r_all)
    return {
        "AvgR": r_all.mean(axis=0),
        "VarR": r_all.var(axis=0, ddof=1),
        "AvgRFz": fz.mean(axis=0),
        "T": fz.mean(axis=0) / (fz.std(axis=0, ddof=1) / np.sqrt(len(fz))),
    }


def test_lead_dbs_maps_are_reproduced(truth, leaddbs, store, table, tmp_path):
    result = CliRunner().invoke(
        command,
        ["map", str(store), str(table), "--out", str(tmp_path), "--rule", "mean-r"],
    )
    assert result.exit_code == 0, result.output
    seed = place_seed(Sphere("M1 hand", CENTRE, RADIUS), truth.space)
    weights = seed.dense(truth.space)
    for name, expected in lead_dbs(leaddbs, weights).items():
        image = nib.load(tmp_path / f"M1hand_conn-GSP_desc-{name}_funcmap.nii.gz")
        np.testing.assert_allclose(image.affine, truth.space.affine)
        found = image.get_fdata()[tuple(truth.space.indices.T)]
        away = weights == 0
        np.testing.assert_allclose(found[away], expected[away], rtol=1e-3, atol=2e-5)


def test_mapping_lists_refusals_and_thresholds(store, table, tmp_path):
    arguments = ["map", str(store), str(table), "--out", str(tmp_path), "--flips", "20"]
    result = CliRunner().invoke(command, [*arguments, "--subjects", "--workers", "2"])
    assert result.exit_code == 0, result.output
    assert "1 seeds, 6 subjects of GSP" in result.stdout
    assert "1 seeds refused" in result.stdout
    assert "refused: outside: not represented: 0% of the seed" in result.stderr
    seeds = pd.read_csv(tmp_path / "seeds.csv")
    assert seeds["state"].tolist() == ["mapped", "refused"]
    thresholds = pd.read_csv(tmp_path / "thresholds.csv")
    assert thresholds["threshold"].tolist()[-3:] == ["FDR", "Bonferroni", "sign flips"]
    assert len(list((tmp_path / "subjects").iterdir())) == 6
    sidecar = json.loads(next(tmp_path.glob("conn-GSP_seed-M1hand_*.json")).read_text())
    assert sidecar["Connectome"] == "GSP"
    assert sidecar["Preparation"]["source"]["format"] == "Lead-DBS fMRI_timecourses"
    assert (store / "moments").is_dir()


def test_a_band_needs_the_repetition_time_that_lead_dbs_does_not_state(leaddbs, tmp_path):
    arguments = ["prepare", str(leaddbs), str(tmp_path / "store"), "--band", "0.01", "0.1"]
    error = CliRunner().invoke(command, arguments).exception
    assert isinstance(error, InputError)
    assert "needs the time between volumes" in str(error)


def test_a_message_and_exit_code_1_for_what_a_person_got_wrong(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        "sys.argv", ["compendium", "connectome", "map", str(tmp_path), "x.csv", "--out", "y"]
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "no finished store there" in capsys.readouterr().err


def test_help_teaches():
    for name in ("prepare", "map"):
        text = CliRunner().invoke(command, [name, "--help"]).output
        assert f"compendium connectome {name}" in text


def test_the_store_of_a_folder_holds_the_folders_numbers(truth, store):
    opened = open_store(store)
    assert opened.n_subjects == 6
    assert not opened.simulated
    order = {tuple(index): row for row, index in enumerate(opened.space.indices)}
    columns = [order[tuple(index)] for index in truth.space.indices]
    run = truth.load_subject("sim-001").runs[0].astype(float)
    run -= run.mean(axis=0)
    np.testing.assert_allclose(
        opened.subjects[0].rows()[columns, :60],
        (run / np.linalg.norm(run, axis=0)).T,
        atol=1e-6,
    )
