"""The project's own papers: locks, licences, sources, and what must never be in them."""

import re
import shutil
import subprocess
import tomllib

import jsonschema
import jupytext
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests.prose import typed_results


def lines_of(path):
    return [
        line.strip()
        for line in path.read_text().splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]


def locked(root):
    pins = {}
    for line in lines_of(root / "requirements.lock"):
        if "==" in line and not line.startswith("--hash"):
            requirement = Requirement(line.rstrip("\\").strip())
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def test_every_direct_dependency_is_locked_to_a_version_it_allows(root):
    pins = locked(root)
    for line in lines_of(root / "requirements.in"):
        wanted = Requirement(line)
        found = pins.get(canonicalize_name(wanted.name))
        assert found, f"{wanted.name} is not in the lock"
        for pin in found:
            version = next(iter(pin.specifier)).version
            assert wanted.specifier.contains(version), (line, version)


def test_the_lock_holds_a_digest_for_every_pin_and_no_address(root):
    text = (root / "requirements.lock").read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(blocks) > 100
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_conda_and_binder_use_the_same_lock(root):
    environment = YAML(typ="safe").load((root / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip == ["-r requirements.lock"]
    assert "-r ../requirements.lock" in (root / ".binder" / "requirements.txt").read_text()
    minimum = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert minimum == ">=3.11"
    assert "python=3.11" in environment["dependencies"]


def test_the_citation_file_says_what_it_must(root):
    content = YAML(typ="safe").load((root / "CITATION.cff").read_text())
    schema = {
        "type": "object",
        "required": ["cff-version", "message", "title", "authors", "version", "license"],
        "properties": {
            "cff-version": {"const": "1.2.0"},
            "authors": {"type": "array", "minItems": 1},
            "date-released": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        },
    }
    jsonschema.validate(content, schema)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert content["version"] == project["version"]
    assert content["license"] == project["license"] == "MIT"


def chapters(root):
    return sorted(
        path
        for path in (root / "book").rglob("*.md")
        if "jupytext:" in path.read_text(encoding="utf-8")[:400]
    )


def test_a_round_trip_through_a_notebook_keeps_declarations_and_code(root, tmp_path):
    config = jupytext.config.load_jupytext_configuration_file(str(root / "jupytext.toml"))
    assert chapters(root)
    for path in chapters(root):
        notebook = jupytext.read(path)
        config.set_default_format_options(notebook.metadata.setdefault("jupytext", {}))
        copy = tmp_path / path.name
        jupytext.write(notebook, copy, fmt="md:myst")
        again = jupytext.read(copy)
        assert again.metadata["compendium"] == notebook.metadata["compendium"], path.name
        assert [c.source for c in again.cells] == [c.source for c in notebook.cells], path.name


def test_chapters_are_text_without_outputs(root):
    for path in chapters(root):
        assert '"outputs"' not in path.read_text(encoding="utf-8"), path.name
    if shutil.which("git") and (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=True
        ).stdout.split()
        assert not [n for n in listed if n.endswith(".ipynb")]
        assert not [
            n for n in listed if n.startswith(("_build/", "data/derived/", "data/external/"))
        ]


def test_chapters_define_nothing_worth_testing(root):
    for path in chapters(root):
        for cell in jupytext.read(path).cells:
            if cell.cell_type == "code":
                assert not re.search(r"^\s*(def|class) ", cell.source, re.M), path.name


@pytest.mark.parametrize(
    ("prose", "caught"),
    [
        ("In all 62.4 % of the trials were sham-controlled.", ["62.4 %"]),
        ("It finds 307 of 320.", ["307 of 320"]),
        ("We read 1,204 records.", ["1,204 records"]),
        ("Dice was 0.41 (p = 0.003).", ["Dice was 0.41", "p = 0.003"]),
        ("Here {glue:text}`n` of {glue:text}`all` trials, with 95 % intervals.", []),
        ("The paper found 487 trials, 49.3 % of them cortical.", []),
        ("The pipeline drops 4 % of volumes {cite:p}`someone2020`.", []),
        ("Suppose a coder agrees on 80 % of 50 trials.", []),
        ("A seed below 50 % coverage is refused.", []),
        ("In `f(3) of 4 trials` nothing is prose.", []),
    ],
)
def test_the_rule_for_typed_numbers_knows_a_result_from_a_definition(prose, caught):
    assert list(typed_results(prose, "COVERAGE = 0.5")) == caught


def test_numbers_in_prose_come_from_the_run(root):
    for path in chapters(root):
        cells = jupytext.read(path).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        for cell in cells:
            if cell.cell_type == "markdown":
                found = list(typed_results(cell.source, code))
                assert found == [], f"{path.name}: bind it with quote, or cite its source"


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "LICENSE-text-and-data.md", "Makefile"])
def test_the_papers_a_newcomer_needs_are_there(root, name):
    assert (root / name).stat().st_size > 500


def test_the_readme_shows_the_book_and_its_two_commands(root):
    text = (root / "README.md").read_text()
    assert "make book" in text
    assert "make test" in text
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text):
        assert (root / picture).is_file()
