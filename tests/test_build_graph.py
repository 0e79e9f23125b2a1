"""What reruns when something changes: exactly what depends on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compendium.imports import helper_files, imported_modules
from tests.chapter_sources import chapter_source


@pytest.fixture
def project(tmp_path, root):
    """A miniature of this project: the real graph and runner, three chapters, two helpers."""
    shutil.copy(root / "dodo.py", tmp_path)
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    package = tmp_path / "src" / "compendium"
    (package / "counting.py").write_text("def count(text):\n    return len(text)\n")
    (package / "shouting.py").write_text("def shout(text):\n    return text.upper()\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    for name in ("one", "two"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(name)
    (tmp_path / "data" / "sources.yml").write_text("schema: 1\npackages: {}\n")
    book = tmp_path / "book" / "chapters"
    book.mkdir(parents=True)
    save = "from pathlib import Path\nPath('data/derived').mkdir(exist_ok=True)\n"
    (book / "01_first.md").write_text(
        chapter_source(
            [
                "from compendium.counting import count\n"
                + save
                + "n = count(Path('data/one/a.txt').read_text())\n"
                + "Path('data/derived/n.txt').write_text(str(n))"
            ],
            title="First",
            parameters="snapshots = []",
            inputs="data/one",
            outputs="data/derived/n.txt",
        )
    )
    (book / "02_second.md").write_text(
        chapter_source(
            ["print(open('data/derived/n.txt').read())"],
            title="Second",
            parameters="snapshots = []",
            inputs="data/derived/n.txt",
        )
    )
    (book / "03_third.md").write_text(
        chapter_source(
            ["from compendium import shouting\nprint(shouting.shout('a'))"],
            title="Third",
            parameters="snapshots = []",
            inputs="data/two",
        )
    )
    return tmp_path


def build(project: Path) -> set[str]:
    """Run the chapters of the miniature and return those that were executed."""
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "doit", "-f", "dodo.py", "chapter"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        line.split(":")[0]
        for line in done.stderr.splitlines()
        if line.endswith(" s") and "done" in line
    }


@pytest.mark.slow
def test_exactly_what_depends_on_a_change_reruns(project):
    book = project / "book" / "chapters"
    assert build(project) == {"01_first", "02_second", "03_third"}
    assert build(project) == set()

    text = book / "03_third.md"
    text.write_text(text.read_text() + "\nMore prose.\n")
    assert build(project) == {"03_third"}

    # the same bytes again are no change, whatever the clock says
    os.utime(project / "data" / "one" / "a.txt")
    assert build(project) == set()

    (project / "data" / "one" / "a.txt").write_text("seven")
    assert build(project) == {"01_first", "02_second"}

    helper = project / "src" / "compendium" / "counting.py"
    helper.write_text(helper.read_text() + "\n\ndef other():\n    return 1\n")
    assert build(project) == {"01_first"}  # what it wrote is the same, so the second is up to date

    (project / "data" / "two" / "b.txt").write_text("a new file in a declared folder")
    assert build(project) == {"03_third"}

    (project / "data" / "derived" / "n.txt").unlink()
    assert build(project) == {"01_first"}

    (project / "requirements.lock").write_text("nothing==2\n")
    assert build(project) == {"01_first", "02_second", "03_third"}


def test_helpers_are_found_through_helpers(tmp_path):
    package = tmp_path / "compendium"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from compendium import b\n")
    (package / "b.py").write_text("def f():\n    import compendium.c\n")
    (package / "c.py").write_text("")
    (package / "d.py").write_text("")
    found = helper_files("from compendium.a import something", tmp_path)
    assert [path.name for path in found] == ["__init__.py", "a.py", "b.py", "c.py"]


def test_only_imports_of_this_package_count():
    code = "import pandas\nimport compendium.tables as t\nfrom compendium.search import query"
    assert imported_modules(code) == {
        "compendium.tables",
        "compendium.search",
        "compendium.search.query",
    }
