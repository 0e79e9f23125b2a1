"""Run a chapter: MyST text in, executed notebook and provenance record out.

Run as a program: ``python -m compendium.chapters CHAPTER.md --out FOLDER [--set name=value]``.
"""

import argparse
import contextlib
import json
import os
import platform
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

from compendium.colophon import SNAPSHOT_FACTS
from compendium.errors import InputError
from compendium.execution import ENGINE, KernelLostError, register_engine
from compendium.files import replacing, sha256_of
from compendium.inputs import connectome_facts, digests, public_parameters, resolve_inputs

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
    path: Path,
    out: Path,
    parameters: Mapping[str, Any] | None = None,
    root: Path = Path(),
    *,
    cell_timeout: int | None = None,
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
    cell_timeout : int, optional
        Seconds that one cell may take; no limit by default.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    ChapterError
        If a cell raises, loses its kernel or writes to stderr, or a declared output is not written.
        What a former run left in `out` stays.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    register_engine()
    chapter, notebook = read_chapter(path)
    record_path = Path(out) / f"{chapter.name}.json"
    chosen = dict(parameters or {})
    inputs = resolve_inputs(chapter.inputs, chosen, root)
    shown, replaced = public_parameters(chosen, root)
    started = time.perf_counter()
    # the notebook's own folder is short-lived: kernels talk through sockets in it
    with tempfile.TemporaryDirectory(prefix="ch") as folder:
        source = Path(folder) / "in.ipynb"
        nbformat.write(notebook, source)
        try:
            executed = papermill.execute_notebook(
                str(source),
                None,
                parameters=chosen,
                engine_name=ENGINE,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                cwd=str(root.resolve()),
                chapter=chapter.name,
                expected=_former_seconds(record_path),
                sockets=folder,
                cell_timeout=cell_timeout,
            )
        # an injected parameters cell counts too, so that the number is the notebook's
        except PapermillExecutionError as error:
            cause = ": ".join([error.ename, *_first_line(error.evalue)])
            where = f"{chapter.path.name}: cell {error.cell_index + 1}"
            raise ChapterError(f"{where} failed: {cause}") from None
        except KernelLostError as error:
            where = f"{chapter.path.name}: cell {error.cell_index + 1}"
            raise ChapterError(f"{where} failed: {error.cause}") from None
    seconds = time.perf_counter() - started
    _refuse_stderr(chapter, executed)
    missing = [name for name in chapter.outputs if not (root / name).exists()]
    if missing:
        raise ChapterError(f"{chapter.path.name}: declared but not written: {', '.join(missing)}")
    record = {
        "chapter": chapter.name,
        "text_sha256": sha256_of(path),
        "parameters": shown,
        "inputs": digests(inputs),
        "snapshots": [_facts(path) for path in inputs.values() if path.name == "manifest.json"],
        "outputs": digests(resolve_inputs(chapter.outputs, {}, root)),
        "versions": {name: version(name) for name in RECORDED}
        | {"python": platform.python_version()},
        "seconds": round(seconds, 2),
        "cell_seconds": [
            round(cell.metadata.get("papermill", {}).get("duration") or 0.0, 3)
            for cell in executed.cells
        ],
    }
    if chosen.get("connectome"):
        record["connectome"] = connectome_facts(chosen["connectome"], root)
    tidy(executed)
    target = Path(out) / f"{chapter.name}.ipynb"
    with replacing(target) as stream:
        stream.write(_without_paths(nbformat.writes(executed), replaced) + "\n")
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


def _facts(manifest: Path) -> dict[str, str]:
    content = json.loads(manifest.read_text(encoding="utf-8"))
    return {name: str(content.get(name) or "") for name in SNAPSHOT_FACTS}


def _first_line(text: str) -> list[str]:
    return [line.strip() for line in str(text).splitlines() if line.strip()][:1]


def _without_paths(text: str, replaced: Mapping[str, str]) -> str:
    """Return a notebook's JSON with chosen places called by their public names."""
    # the longest first: one chosen folder may lie in another
    for path in sorted(replaced, key=len, reverse=True):
        text = text.replace(json.dumps(path)[1:-1], json.dumps(replaced[path])[1:-1])
    return text


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
    # chapters run side by side: two that each take every core wait for each other
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        run_chapter(options.chapter, options.out, parameters)
    except (ChapterError, InputError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
