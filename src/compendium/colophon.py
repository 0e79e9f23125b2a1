"""The page that says what the book rests on: data, chapters, versions, commit."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from compendium.errors import InputError
from compendium.files import replacing

PLACE = "<!-- provenance -->"
SNAPSHOT_FACTS = ("id", "kind", "registry", "processed_date", "retrieved")


def write_colophon(page: Path, executed: Path, root: Path) -> None:
    """Fill the colophon with what the executed chapters say of themselves.

    Parameters
    ----------
    page : Path
        Staged page that holds `PLACE`.
    executed : Path
        Folder of provenance records.
    root : Path
        The project's root; its last commit is named where there is one.

    Raises
    ------
    InputError
        If the page has no place for it.
    """
    text = page.read_text(encoding="utf-8")
    if PLACE not in text:
        raise InputError(f"no {PLACE} in the page", where=page.name, remedy="put it back")
    records = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(executed.glob("*.json"))]
    with replacing(page) as stream:
        stream.write(text.replace(PLACE, provenance(records, last_commit(root))))


def provenance(records: Sequence[dict], commit: str) -> str:
    """Return the provenance of a book in Markdown.

    Parameters
    ----------
    records : sequence of dict
        What `compendium.chapters.run_chapter` left beside each notebook.
    commit : str
        Where the sources come from.
    """
    snapshots = {
        tuple(one[name] for name in SNAPSHOT_FACTS)
        for record in records
        for one in record["snapshots"]
    }
    chapters = [
        (
            record["chapter"],
            ", ".join(f"{k} = {v}" for k, v in record["parameters"].items()) or "none",
            len(record["inputs"]),
            len(record["outputs"]),
            f"`{record['text_sha256'][:12]}`",
        )
        for record in records
    ]
    versions = records[0]["versions"] if records else {}
    return "\n".join(
        [
            "## Data",
            "",
            *_table(("Snapshot", "Kind", "Registry", "Processed", "Records"), sorted(snapshots)),
            "",
            "## Chapters",
            "",
            *_table(("Chapter", "Changed parameters", "Read", "Written", "Text"), chapters),
            "",
            "*Read* and *Written* count files; *Text* is the beginning of the chapter's SHA-256.",
            "",
            "## Versions",
            "",
            ", ".join(f"{name} {number}" for name, number in sorted(versions.items())) + ".",
            "",
            f"Source: {commit}.",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    # a bar or a line break inside a cell would end it
    return [
        "| " + " | ".join(str(c).replace("|", "/").replace("\n", " ") for c in line) + " |"
        for line in lines
    ]


def last_commit(root: Path) -> str:
    """Name the commit that the sources come from, or say that there is none."""
    git = shutil.which("git")
    if git and (root / ".git").exists():
        command = [git, "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode == 0:
            return f"commit `{done.stdout.strip()}`"
    return "not a git checkout"
