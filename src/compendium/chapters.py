"""Run a chapter: MyST text in, executed notebook and provenance record out.

Run as a program: ``python -m compendium.chapters CHAPTER.md --out FOLDER [--set name=value]``.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from compendium.errors import InputError
from compendium.files import replacing, sha256_of

RECORDED = ("papermill", "jupytext", "pandas", "numpy", "scipy", "altair", "nilearn", "nibabel")


class ChapterError(Exception):
    """A chapter that did not run to its end; the message names chapter, cell and cause."""


@dataclass(frozen=True)
class Chapter:
    """What a chapter says of itself in its front matter.

    Attributes
    ----------
    path : Path
        The MyST notebook.
    inputs, outputs : tuple of str
        Files or folders read and files written, relative to the project's root.
    parameters : frozenset of str
        Names assigned in the cell tagged ``parameters``.
    """

    path: Path
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem


def read_chapter(path: Path) -> tuple[Chapter, nbformat.NotebookNode]:
    """Read a MyST notebook and its declarations.

    Parameters
    ----------
    path : Path
        A ``.md`` file with a jupytext header.

    Returns
    -------
    Chapter, NotebookNode
        The notebook's cells carry ids made from their position, so that a rerun is the same bytes.

    Raises
    ------
    InputError
        If the front matter has no ``compendium`` entry with ``inputs`` and ``outputs``, or no cell
        is tagged ``parameters``.
    """
    notebook = jupytext.read(path)
    declared = notebook.metadata.pop("compendium", None)
    if not isinstance(declared, dict) or {"inputs", "outputs"} - set(declared):
        raise InputError(
            "the front matter declares no inputs and outputs",
            where=str(path),
            remedy="add compendium: {inputs: [...], outputs: [...]}",
        )
    parameters: set[str] = set()
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if not tagged:
        raise InputError(
            "no cell is tagged 'parameters'",
            where=str(path),
            remedy="tag the cell that assigns the chapter's parameters",
        )
    for line in tagged[0].source.splitlines():
        if "=" in line and not line.startswith((" ", "#")):
            parameters.add(line.split("=")[0].split(":")[0].strip())
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position:03d}"
    chapter = Chapter(
        path, tuple(declared["inputs"]), tuple(declared["outputs"]), frozenset(parameters)
    )
    return chapter, notebook


def run_chapter(
    path: Path, out: Path, parameters: Mapping[str, Any] | None = None, root: Path = Path()
) -> Path:
    """Execute a chapter with papermill and keep the result only if it ran to its end.

    Parameters
    ----------
    path : Path
        The MyST notebook.
    out : Path
        Folder for ``NAME.ipynb`` (the executed notebook) and ``NAME.json`` (its provenance).
    parameters : mapping, optional
        Values that replace those of the ``parameters`` cell.
    root : Path
        The project's root: the working folder of the chapter, and what its paths start from.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    ChapterError
        If a cell raises or writes to stderr, or a declared output is not written. What a former run
        left in `out` stays.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    register_engine()
    chapter, notebook = read_chapter(path)
    record_path = Path(out) / f"{chapter.name}.json"
    inputs = digests(root, actual_inputs(chapter.inputs, parameters or {}))
    started = time.perf_counter()
    # the notebook's own folder is short-lived: kernels talk through sockets in it
    with tempfile.TemporaryDirectory(prefix="ch") as folder:
        source = Path(folder) / "in.ipynb"
        nbformat.write(notebook, source)
        try:
            executed = papermill.execute_notebook(
                str(source),
                None,
                parameters=dict(parameters or {}),
                engine_name=ENGINE,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                cwd=str(root.resolve()),
                chapter=chapter.name,
                expected=_former_seconds(record_path),
                sockets=folder,
            )
        except PapermillExecutionError as error:
            # an injected parameters cell counts too, so that the number is the notebook's
            where = f"{chapter.path.name}: cell {error.cell_index + 1}"
            raise ChapterError(f"{where} failed: {error.ename}: {error.evalue}") from None
    seconds = time.perf_counter() - started
    _refuse_stderr(chapter, executed)
    missing = [name for name in chapter.outputs if not (root / name).exists()]
    if missing:
        raise ChapterError(f"{chapter.path.name}: declared but not written: {', '.join(missing)}")
    record = {
        "chapter": chapter.name,
        "text_sha256": sha256_of(path),
        "parameters": dict(parameters or {}),
        "inputs": {name: digest for name, (_, digest) in inputs.items()},
        "snapshots": [_facts(path) for path, _ in inputs.values() if path.name == "manifest.json"],
        "outputs": {n: digest for n, (_, digest) in digests(root, chapter.outputs).items()},
        "versions": {name: version(name) for name in RECORDED}
        | {"python": platform.python_version()},
        "seconds": round(seconds, 2),
        "cell_seconds": [
            round(cell.metadata.get("papermill", {}).get("duration") or 0.0, 3)
            for cell in executed.cells
        ],
    }
    tidy(executed)
    target = Path(out) / f"{chapter.name}.ipynb"
    with replacing(target) as stream:
        stream.write(nbformat.writes(executed) + "\n")
    with replacing(record_path) as stream:
        json.dump(record, stream, indent=1, sort_keys=True)
        stream.write("\n")
    return target


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Strip clocks, paths and versions from an executed notebook, in place."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = ["injected-parameters", "hide-input"]


SNAPSHOTS = "data/snapshot"


def actual_inputs(names: tuple[str, ...], parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the declared inputs with a person's own snapshots in the place of the book's."""
    chosen = parameters.get("snapshots")
    if not chosen:
        return names
    return tuple(actual for name in names for actual in (chosen if name == SNAPSHOTS else (name,)))


def digests(root: Path, names: tuple[str, ...]) -> dict[str, tuple[Path, str]]:
    """Return name → (file, sha256) for files and folders, sorted; folders expanded.

    A file outside the project is called by its folder and name, so that no record holds a path of
    this machine.
    """
    found = {}
    for name in names:
        for path in expand(root, name):
            inside = path.resolve().is_relative_to(Path(root).resolve())
            shown = (
                path.resolve().relative_to(Path(root).resolve())
                if inside
                else Path(*path.parts[-2:])
            )
            found[shown.as_posix()] = (path, sha256_of(path))
    return dict(sorted(found.items()))


def _facts(manifest: Path) -> dict[str, str]:
    content = json.loads(manifest.read_text(encoding="utf-8"))
    names = ("id", "kind", "registry", "processed_date", "retrieved")
    return {name: str(content.get(name) or "") for name in names}


def expand(root: Path, name: str) -> list[Path]:
    """Return the files that a declared input stands for: itself, or all files of a folder.

    Raises
    ------
    InputError
        If there is neither such a file nor such a folder.
    """
    path = Path(root) / name
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if path.is_file():
        return [path]
    raise InputError(
        "declared as an input, but not there",
        where=name,
        remedy="run the chapter or command that writes it",
    )


def _refuse_stderr(chapter: Chapter, notebook: nbformat.NotebookNode) -> None:
    for position, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                first = output["text"].strip().splitlines()[0]
                raise ChapterError(f"{chapter.path.name}: cell {position} wrote to stderr: {first}")


def _former_seconds(record: Path) -> list[float]:
    with contextlib.suppress(OSError, ValueError):
        return list(json.loads(record.read_text(encoding="utf-8"))["cell_seconds"])
    return []


ENGINE = "compendium"


def register_engine() -> None:
    """Teach papermill an engine that reports each cell and keeps kernels off the network."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    class ReportingEngine(NBClientEngine):
        """nbclient, with a progress line and a socket folder of its own for each kernel."""

        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,  # noqa: ANN401
            kernel_name: str,
            *,
            chapter: str,
            expected: list[float],
            sockets: str,
            **kwargs: Any,  # noqa: ANN401
        ) -> None:
            """Execute every cell and report before each."""
            line = ProgressLine(chapter, len(nb_man.nb.cells), expected)
            start = nb_man.cell_start

            def reporting_start(cell: Any, cell_index: int, **more: Any) -> None:  # noqa: ANN401
                line.report(cell_index)
                start(cell, cell_index, **more)

            nb_man.cell_start = reporting_start
            config = Config()
            if os.name == "posix":
                # sockets in a private folder: no port to race for, nothing shared between kernels
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(Path(sockets) / "k")
            client = PapermillNotebookClient(
                nb_man, kernel_name=kernel_name, config=config, timeout=None, log_output=False
            )
            client.execute()
            line.finish()

    papermill_engines.register(ENGINE, ReportingEngine)


class ProgressLine:
    """One line a chapter: cell k of n, seconds so far, seconds left as the last run foretells.

    Parameters
    ----------
    chapter : str
        Shown first.
    n_cells : int
        Cells in all.
    expected : list of float
        Seconds of each cell in the last run; empty if there was none.
    """

    def __init__(self, chapter: str, n_cells: int, expected: list[float]) -> None:
        self.chapter, self.n_cells = chapter, n_cells
        self.expected = expected if len(expected) == n_cells else []
        self.started = time.perf_counter()
        self.live = sys.stderr.isatty()

    def text(self, cell: int) -> str:
        """Return the line for the cell (counted from 0) that is about to run."""
        spent = time.perf_counter() - self.started
        left = f", about {sum(self.expected[cell:]):.0f} s left" if self.expected else ""
        return f"{self.chapter}: cell {cell + 1} of {self.n_cells}, {spent:.0f} s{left}"

    def report(self, cell: int) -> None:
        """Show the line: in place on a terminal, otherwise only for the first cell."""
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + self.text(cell)[:width].ljust(width))
            sys.stderr.flush()
        elif cell == 0:
            sys.stderr.write(self.text(cell) + "\n")

    def finish(self) -> None:
        """Say that the chapter is done."""
        spent = time.perf_counter() - self.started
        start = "\r" if self.live else ""
        sys.stderr.write(f"{start}{self.chapter}: {self.n_cells} cells done in {spent:.1f} s\n")


def main() -> int:
    """Run one chapter from the command line; exit code 1 names chapter, cell and cause."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    options = parser.parse_args()
    parameters = {}
    for item in options.set:
        name, _, value = item.partition("=")
        parameters[name] = json.loads(value)
    try:
        run_chapter(options.chapter, options.out, parameters)
    except (ChapterError, InputError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
