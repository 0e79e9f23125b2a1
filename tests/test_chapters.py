"""The runner: declarations, failures that name their cell, and the same bytes twice."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from compendium import chapters
from compendium.errors import InputError
from tests.chapter_sources import chapter_source


def write(folder, cells, inputs="in.txt", outputs=""):
    (folder / "in.txt").write_text("input")
    path = folder / "01_chapter.md"
    told = 'n = 3\nfolder: str = "data"'
    path.write_text(chapter_source(cells, inputs=inputs, outputs=outputs, parameters=told))
    return path


def test_a_chapter_declares_what_it_reads_writes_and_can_be_told(tmp_path):
    chapter, notebook = chapters.read_chapter(write(tmp_path, ["n"], outputs="out.csv"))
    assert chapter.inputs == ("in.txt",)
    assert chapter.outputs == ("out.csv",)
    assert chapter.parameters == {"n", "folder"}
    assert [cell["id"] for cell in notebook.cells][:2] == ["cell-000", "cell-001"]


def test_a_chapter_without_declarations_is_refused_by_name(tmp_path):
    path = tmp_path / "plain.md"
    path.write_text("---\njupytext: {text_representation: {format_name: myst}}\n---\n# Plain\n")
    with pytest.raises(InputError, match=r"plain\.md.*declares no inputs"):
        chapters.read_chapter(path)


def test_a_rerun_is_the_same_bytes_and_leaves_its_provenance(tmp_path):
    cells = ["from pathlib import Path\nPath('out.txt').write_text(str(n))", "print(n)"]
    path = write(tmp_path, cells, outputs="out.txt")
    out = tmp_path / "executed"
    first = chapters.run_chapter(path, out, root=tmp_path).read_bytes()
    assert chapters.run_chapter(path, out, root=tmp_path).read_bytes() == first
    assert str(tmp_path).encode() not in first
    record = json.loads((out / "01_chapter.json").read_text())
    assert list(record["inputs"]) == ["in.txt"]
    assert list(record["outputs"]) == ["out.txt"]
    assert record["seconds"] > 0
    chapters.run_chapter(path, out, {"n": 7}, root=tmp_path)
    assert (tmp_path / "out.txt").read_text() == "7"
    assert json.loads((out / "01_chapter.json").read_text())["parameters"] == {"n": 7}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("raise ValueError('the density map is empty')", "failed: ValueError: the density map"),
        ("import sys\nsys.stderr.write('a warning')", "wrote to stderr: a warning"),
        ("raise ValueError('first\\nsecond')", "failed: ValueError: first$"),
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt$"),
        ("import os\nos._exit(9)", "failed: the kernel died"),
    ],
)
def test_a_failure_names_chapter_cell_and_cause_and_keeps_the_last_good_run(
    tmp_path, cell, message
):
    out = tmp_path / "executed"
    good = chapters.run_chapter(write(tmp_path, ["n"]), out, root=tmp_path).read_bytes()
    path = write(tmp_path, ["n", cell])
    with pytest.raises(chapters.ChapterError, match=rf"01_chapter\.md: cell 4 {message}"):
        chapters.run_chapter(path, out, root=tmp_path)
    assert (out / "01_chapter.ipynb").read_bytes() == good


def test_an_output_that_was_declared_must_be_written(tmp_path):
    path = write(tmp_path, ["n"], outputs="maps.csv")
    with pytest.raises(chapters.ChapterError, match=r"not written: maps\.csv"):
        chapters.run_chapter(path, tmp_path / "executed", root=tmp_path)


def test_a_missing_input_is_named(tmp_path):
    path = write(tmp_path, ["n"], inputs="gone.csv")
    with pytest.raises(InputError, match=r"gone\.csv: declared as an input"):
        chapters.run_chapter(path, tmp_path / "executed", root=tmp_path)


def test_as_a_program_it_exits_with_one_and_one_line(tmp_path, root):
    path = write(tmp_path, ["1 / 0"])
    command = [sys.executable, "-m", "compendium.chapters", str(path), "--out", "executed"]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "01_chapter.md: cell 3 failed: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cell_that_never_answers_is_named(tmp_path):
    path = write(tmp_path, ["import time\ntime.sleep(60)"])
    with pytest.raises(chapters.ChapterError, match=r"^01_chapter\.md: cell 3 failed: no answer"):
        chapters.run_chapter(path, tmp_path / "executed", root=tmp_path, cell_timeout=1)


def test_a_place_outside_the_project_is_published_by_its_name_only(tmp_path):
    root, outside = tmp_path / "project", tmp_path / "private" / "today"
    root.mkdir()
    outside.mkdir(parents=True)
    (outside / "manifest.json").write_text('{"id": "today"}')
    (outside / "sub").mkdir()
    (outside / "sub" / "a.csv").write_text("a")
    path = write(root, ["print(folder)"], inputs="data/snapshot/old")
    text = path.read_text().replace('folder: str = "data"', "snapshots = []\nconnectome = ''")
    path.write_text(text.replace("print(folder)", "print(snapshots, connectome)"))
    chosen = {"snapshots": [str(outside)], "connectome": str(outside)}
    out = tmp_path / "executed"
    chapters.run_chapter(path, out, chosen, root=root)
    record = json.loads((out / "01_chapter.json").read_text())
    assert list(record["inputs"]) == ["today/manifest.json", "today/sub/a.csv"]
    assert record["parameters"] == {"snapshots": ["today"], "connectome": "today"}
    assert record["connectome"]["files"] == 2
    assert record["connectome"]["name"] == "today"
    for written in out.iterdir():
        assert str(tmp_path) not in written.read_text(), written.name
    assert "['today'] today" in (out / "01_chapter.ipynb").read_text()


def test_tidying_strips_clocks_and_versions():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    notebook.metadata["papermill"] = {"start_time": "2026-01-01"}
    notebook.cells[0].metadata["papermill"] = {"duration": 1}
    notebook.cells[0].metadata["tags"] = ["injected-parameters"]
    chapters.tidy(notebook)
    text = nbformat.writes(notebook)
    assert "2026" not in text
    assert "duration" not in text
    assert notebook.cells[0].metadata["tags"] == ["injected-parameters", "hide-input"]
