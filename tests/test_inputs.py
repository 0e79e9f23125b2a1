"""Declared inputs: the same files for the graph and the record, and no path of this machine."""

import pytest

from compendium import inputs
from compendium.errors import InputError

SOURCES = """schema: 1
packages:
  one-1:
    package: one
    version: "1"
    wheel: one-1-py3-none-any.whl
    sha256: "00"
    bytes: 1
    sets: [rest]
    used: nothing
    licence: MIT
    data_licence: MIT
    cite: []
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    for name in ("data/snapshot/a/m.json", "data/snapshot/b/m.json", "data/protocol/x.yml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "data" / "sources.yml").write_text(SOURCES)
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    (kept / "one-1-py3-none-any.whl").write_text("wheel")
    (kept / "notes.txt").write_text("not declared")
    monkeypatch.setenv("COMPENDIUM_DATA", str(kept))
    return root


def test_a_folder_stands_for_its_files(project):
    found = inputs.resolve_inputs(["data/snapshot", "data/protocol/x.yml"], {}, project)
    assert list(found) == [
        "data/protocol/x.yml",
        "data/snapshot/a/m.json",
        "data/snapshot/b/m.json",
    ]
    assert found["data/protocol/x.yml"] == project / "data/protocol/x.yml"


@pytest.mark.parametrize("declared", ["data/snapshot", "data/snapshot/a"])
def test_chosen_snapshots_take_the_place_of_the_books(project, tmp_path, declared):
    own = tmp_path / "mine" / "today"
    own.mkdir(parents=True)
    (own / "m.json").write_text("{}")
    chosen = {"snapshots": [str(own), "data/snapshot/b"]}
    found = inputs.resolve_inputs([declared], chosen, project)
    assert found == {
        "data/snapshot/b/m.json": project / "data/snapshot/b/m.json",
        "today/m.json": own / "m.json",
    }


def test_a_name_that_only_begins_alike_is_no_snapshot(project):
    (project / "data" / "snapshots.csv").write_text("a")
    found = inputs.resolve_inputs(["data/snapshots.csv"], {"snapshots": ["x"]}, project)
    assert list(found) == ["data/snapshots.csv"]


def test_two_chosen_folders_of_one_name_are_told_apart(project, tmp_path):
    places = []
    for parent in ("p", "q"):
        place = tmp_path / parent / "today"
        place.mkdir(parents=True)
        (place / "m.json").write_text(parent)
        places.append(str(place))
    found = inputs.resolve_inputs(["data/snapshot"], {"snapshots": places}, project)
    assert list(found) == ["today (2)/m.json", "today/m.json"]
    assert found["today (2)/m.json"].read_text() == "q"


def test_external_data_are_the_declared_packages_wherever_they_are_kept(project, tmp_path):
    found = inputs.resolve_inputs(["data/external"], {}, project)
    wheel = "one-1-py3-none-any.whl"
    assert found == {f"data/external/{wheel}": tmp_path / "elsewhere" / wheel}
    assert list(inputs.digests(found)) == [f"data/external/{wheel}"]
    (tmp_path / "elsewhere" / wheel).unlink()
    with pytest.raises(InputError, match=f"{wheel}.*not on this machine"):
        inputs.resolve_inputs(["data/external"], {}, project)
    assert inputs.resolve_inputs(["data/external"], {}, project, made=["data/external"])


def test_what_another_step_writes_need_not_be_there_yet(project):
    name = "data/derived/trials.csv"
    assert inputs.resolve_inputs([name], {}, project, made={name}) == {name: project / name}
    with pytest.raises(InputError, match=r"data/derived/trials\.csv: declared as an input"):
        inputs.resolve_inputs([name], {}, project)


def test_a_chosen_place_that_is_not_there_is_named_without_its_way(project, tmp_path):
    missing = str(tmp_path / "secret" / "gone")
    with pytest.raises(InputError, match=r"^gone: declared") as error:
        inputs.resolve_inputs(["data/snapshot"], {"snapshots": [missing]}, project)
    assert "secret" not in str(error.value)
    with pytest.raises(InputError, match=r"^gone: there is no connectome"):
        inputs.connectome_facts(missing, project)


def test_the_facts_of_a_connectome_are_those_of_its_listing(project, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (store / "one.npy").write_text("1")
    first = inputs.connectome_facts(store, project)
    assert first | {"listing_sha256": ""} == {
        "name": "store",
        "files": 1,
        "bytes": 1,
        "listing_sha256": "",
    }
    (store / "one.npy").write_text("22")
    assert inputs.connectome_facts(store, project)["listing_sha256"] != first["listing_sha256"]


def test_public_parameters_lose_only_places_outside(project, tmp_path):
    outside = str(tmp_path / "elsewhere")
    shown, replaced = inputs.public_parameters(
        {"snapshots": [outside, "data/snapshot/a"], "seed": 7, "term": "a/b"}, project
    )
    assert shown == {"snapshots": ["elsewhere", "data/snapshot/a"], "seed": 7, "term": "a/b"}
    assert replaced == {outside: "elsewhere"}
