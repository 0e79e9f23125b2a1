"""What a mapping leaves on disk: stamped, named apart, and nothing before it is sure."""

import shutil
from dataclasses import replace
from functools import partial

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from compendium.cli.connectome import connectome as command
from compendium.connectome import scale
from compendium.connectome.mapping import map_seeds
from compendium.connectome.outputs import file_stems, paint, save_maps, save_subject_maps
from compendium.connectome.prepare import Options, prepare
from compendium.connectome.seeds import Seed
from compendium.errors import InputError
from tests.connectomes import make, parcel_space, some_seeds, voxel_space

HEAD = "name,x,y,z,radius_mm\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return prepare(make(voxel_space(700)), tmp_path_factory.mktemp("tiny") / "store")


@pytest.fixture
def silent(tmp_path):
    """Signal is lost around one place in everybody, around another in two of six."""

    def spoil(number, runs):
        for run in runs:
            run[:, near(SILENT)] = 3
            if number in (2, 5):
                run[:, near(SOMETIMES)] = 3

    return prepare(make(voxel_space(700), spoil=spoil), tmp_path / "store", Options())


SPACE = voxel_space(700)
SILENT, SOMETIMES, HEARD = (SPACE.coordinates[at] for at in (100, 350, 600))


def near(place):
    return np.flatnonzero(np.linalg.norm(SPACE.coordinates - place, axis=1) < 9)


def seed_file(folder, **places):
    rows = [f"{name},{','.join(f'{x:g}' for x in place)},4\n" for name, place in places.items()]
    path = folder / "seeds.csv"
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(command, ["map", *map(str, arguments)])


def test_a_seed_in_which_nobody_has_signal_is_refused(silent, tmp_path):
    table = seed_file(tmp_path, silent=SILENT, sometimes=SOMETIMES, heard=HEARD)
    result = run(silent.folder, table, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "refused: silent: no subject has signal in the seed" in result.stderr
    assert "1 seeds refused" in result.stdout
    found = pd.read_csv(tmp_path / "out" / "seeds.csv", keep_default_na=False)
    assert found["seed"].tolist() == ["sometimes", "heard", "silent"]
    assert found["state"].tolist() == ["mapped", "mapped", "refused"]
    assert found["subjects"].tolist() == [4, 6, 0]
    assert "signal in 4 of 6 subjects" in found["notes"][0]
    assert "signal" not in found["notes"][1]
    assert not list((tmp_path / "out").glob("*seed-silent*"))
    alone = run(silent.folder, seed_file(tmp_path, silent=SILENT), "--out", tmp_path / "none")
    assert isinstance(alone.exception, InputError)
    assert not (tmp_path / "none").exists()


def test_everything_of_simulated_data_says_so(tiny, tmp_path):
    table = seed_file(tmp_path, heard=HEARD)
    arguments = (tiny.folder, table, "--out", tmp_path / "out", "--rule", "mean-r", "--subjects")
    assert run(*arguments).exit_code == 0
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 15
    for path in written:
        if path.name.endswith(".nii.gz"):
            assert b"simulated data" in nib.load(path).header["descrip"].item()
        if path.name in ("seeds.csv", "thresholds.csv"):
            assert pd.read_csv(path)["simulated"].all()
        else:
            assert "simulated" in path.name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"a/b": HEARD, "a-b": SOMETIMES}, "two seeds would be written to one file"),
        ({"m1": HEARD, "M1": SOMETIMES}, "two seeds would be written to one file"),
        ({"far": (0, 0, 500)}, "holds none of the 1 seeds"),
        ({"scheduler": HEARD}, "no Dask scheduler answers"),
        ({"flips": HEARD}, "with 10 sign flips no p is below"),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_is_written(
    tiny, tmp_path, monkeypatch, change, reason
):
    monkeypatch.setattr(scale, "cluster_workers", partial(scale.cluster_workers, timeout=0.5))
    table = (
        seed_file(tmp_path, other=SILENT, **change)
        if "far" not in change
        else seed_file(tmp_path, **change)
    )
    more = ["--scheduler", "tcp://127.0.0.1:9"] if "scheduler" in change else []
    more += ["--flips", "10"] if "flips" in change else []
    result = run(tiny.folder, table, "--out", tmp_path / "out", *more)
    assert isinstance(result.exception, InputError)
    assert reason in str(result.exception)
    assert not (tmp_path / "out").exists()
    if "two seeds" in reason:
        assert "other" not in str(result.exception)


def test_a_scheduler_has_workers_of_its_own(tiny, tmp_path):
    table = seed_file(tmp_path, heard=HEARD)
    result = run(tiny.folder, table, "--out", tmp_path, "--workers", 2, "--scheduler", "tcp://x:1")
    assert result.exit_code == 2
    assert "--workers counts threads here" in result.output


def test_files_of_an_earlier_run_are_not_passed_over_in_silence(tiny, tmp_path):
    out = tmp_path / "out"
    assert run(tiny.folder, seed_file(tmp_path, first=HEARD), "--out", out).exit_code == 0
    again = run(tiny.folder, seed_file(tmp_path, second=HEARD), "--out", out)
    assert "9 other files were in" in again.stderr
    assert "seed-first" in again.stderr
    assert (
        "other files"
        not in run(tiny.folder, seed_file(tmp_path, second=HEARD), "--out", tmp_path / "new").stderr
    )


def test_the_command_honours_its_minimum_of_coverage(tiny, tmp_path):
    edge = SPACE.coordinates.min(axis=0) - (1, 1, 1)
    table = seed_file(tmp_path, edge=edge, heard=HEARD)
    strict = run(tiny.folder, table, "--out", tmp_path / "a", "--minimum-coverage", "0.99")
    easy = run(tiny.folder, table, "--out", tmp_path / "b", "--minimum-coverage", "0.01")
    assert "refused: edge" in strict.stderr
    assert "refused" not in easy.stderr


def test_letters_that_file_names_do_not_have_still_tell_seeds_apart():
    stems = file_stems(["Ядро 1", "Ядно 1", "Kérg", "Kerg2"], "set", SPACE, False)
    assert len(set(stems.values())) == 4
    assert all(stem.isascii() for stem in stems.values())
    assert "seed-Kerg" in stems["Kérg"]


def test_subjects_whose_names_differ_in_signs_alone_are_refused(tmp_path):
    connectome = make(voxel_space(700), n_subjects=2)
    ids = {"P-1.1": "sub-01", "P-11": "sub-02"}
    twins = replace(
        connectome,
        subject_ids=tuple(ids),
        load_subject=lambda name: replace(connectome.load_subject(ids[name]), id=name),
    )
    store = prepare(twins, tmp_path / "store")
    with pytest.raises(InputError, match=r"P-1\.1, P-11: two subjects would be written to one"):
        save_subject_maps(store, some_seeds(store.space, 1, 3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_seed_may_not_be_called_as_the_column_of_parcels_is(tmp_path):
    store = prepare(make(parcel_space(), n_subjects=2), tmp_path / "store")
    seed = Seed("name", np.array([0]), np.array([1.0]), 1.0)
    with pytest.raises(InputError, match="over the names of the parcels"):
        save_subject_maps(store, [seed], tmp_path / "out")


def test_one_subject_has_no_map_of_what_takes_two(tmp_path):
    store = prepare(make(voxel_space(700), n_subjects=1), tmp_path / "store")
    maps = map_seeds(store, some_seeds(store.space, 1, 3))
    kinds = {
        path.name.partition("stat-")[2].split("_")[0]
        for path in save_maps(maps, tmp_path / "out")
        if path.name.endswith(".nii.gz")
    }
    assert kinds == {"r", "z", "n"}


def test_a_parcel_that_the_image_does_not_have_is_painted_nowhere():
    space = parcel_space()
    table = pd.concat([space.table, pd.DataFrame({"value": [999], "name": ["lost"]})])
    wider = replace(space, table=table)
    values = np.arange(1, len(table) + 1)
    np.testing.assert_array_equal(paint(wider, values), paint(space, values[:-1]))


def test_a_store_that_keeps_nothing_is_mapped_and_says_so(tiny, tmp_path):
    folder = shutil.copytree(tiny.folder, tmp_path / "store")
    shutil.rmtree(folder / "moments", ignore_errors=True)
    (folder / "moments").write_text("a file where a folder is due")
    result = run(folder, seed_file(tmp_path, heard=HEARD), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "the moments of 1 seeds are not kept" in result.stderr
    assert (tmp_path / "out" / "seeds.csv").is_file()
