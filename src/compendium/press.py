"""From executed chapters to published pages: staged, built strictly, then swapped in."""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

from compendium.charts.theme import house_config
from compendium.colophon import write_colophon
from compendium.files import replacing

PAGES = (".md", ".bib", ".yml", ".ipynb")


def stage(book: Path, executed: Path, staged: Path) -> None:
    """Lay out the book's source with executed notebooks in the place of their texts.

    Parameters
    ----------
    book : Path
        The book's source: configuration, pages, chapters.
    executed : Path
        Folder of executed notebooks, ``NAME.ipynb``.
    staged : Path
        Emptied and filled.
    """
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(book, staged, ignore=shutil.ignore_patterns(".*"))
    names = []
    for notebook in sorted(executed.glob("*.ipynb")):
        for text in sorted(staged.rglob(f"{notebook.stem}.md")):
            shutil.copyfile(notebook, text.with_suffix(".ipynb"))
            text.unlink()
            names.append(notebook.stem)
    for page in sorted([*staged.rglob("*.md"), *staged.rglob("*.ipynb")]):
        text = page.read_text(encoding="utf-8")
        with replacing(page) as stream:
            stream.write(lead_to_notebooks(text, names))


def lead_to_notebooks(text: str, names: Sequence[str]) -> str:
    """Return a page whose links to chapters name the notebooks that were staged for their texts.

    Parameters
    ----------
    text : str
        Markdown, or a notebook's JSON.
    names : sequence of str
        Chapters, without their endings.

    Examples
    --------
    >>> lead_to_notebooks("see [here](chapters/01_a.md#top) and [there](glossary.md)", ["01_a"])
    'see [here](chapters/01_a.ipynb#top) and [there](glossary.md)'
    """
    if not names:
        return text
    listed = "|".join(re.escape(name) for name in names)
    return re.sub(rf"(\]\((?:[^()\s]*/)?(?:{listed}))\.md(?=[#)])", r"\1.ipynb", text)


def vendor(folder: Path, views: Path) -> None:
    """Write the scripts that every page shares, taken from the installed packages.

    Parameters
    ----------
    folder : Path
        Becomes part of the book's static files.
    views : Path
        Interactive pages that chapters made; copied beside the viewer they use. Files that readers
        may save lie in the folder ``downloads`` beside it.
    """
    import vl_convert

    from compendium.brains import niivue_script

    folder.mkdir(parents=True, exist_ok=True)
    # the bundle declares names at the top level: a function keeps them from meeting the page's own
    with replacing(folder / "vega.js") as stream:
        stream.write("(()=>{" + vl_convert.javascript_bundle() + "\n})();\n")
    themes = {"light": house_config(), "dark": house_config(dark=True)}
    with replacing(folder / "chart-themes.js") as stream:
        stream.write(f"window.chartThemes={json.dumps(themes, sort_keys=True)};\n")
    # its folder is no importable name; SVG output needs no font files
    packed = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline")
    shutil.copyfile(Path(packed) / "static" / "mathjax" / "tex-svg.js", folder / "mathjax.js")
    pages = folder / "views"
    pages.mkdir(exist_ok=True)
    with replacing(pages / "niivue.js") as stream:
        stream.write(niivue_script())
    for page in sorted(views.glob("*.html")):
        shutil.copyfile(page, pages / page.name)
    saved = folder / "downloads"
    saved.mkdir(exist_ok=True)
    for path in sorted((views.parent / "downloads").glob("*")):
        shutil.copyfile(path, saved / path.name)


def build(staged: Path, out: Path) -> None:
    """Build the staged book strictly and put it in the place of the last good one.

    Parameters
    ----------
    staged : Path
        What `stage` made.
    out : Path
        The published folder; replaced only if the build has no warning.

    Raises
    ------
    SystemExit
        With what the builder said, if it failed; `out` is then as it was.
    """
    command = Path(sys.executable).with_name("jupyter-book")
    work = staged.parent / "making"
    shutil.rmtree(work, ignore_errors=True)
    arguments = ["build", str(staged), "--path-output", str(work), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [str(command), *arguments], capture_output=True, text=True, check=False
    )
    log = staged.parent / "build.log"
    with replacing(log) as stream:
        stream.write(done.stdout + done.stderr)
    if done.returncode != 0:
        said = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if "WARNING" in line or "ERROR" in line or "rror:" in line
        ]
        raise SystemExit(
            "the book did not build; the last good one is kept\n"
            + "\n".join(said[-30:] or done.stderr.splitlines()[-15:])
        )
    former = staged.parent / "former"
    shutil.rmtree(former, ignore_errors=True)
    if out.exists():
        out.rename(former)
    made = work / "_build" / "html"
    # the builder's note to itself, which differs from folder to folder
    (made / ".buildinfo").unlink(missing_ok=True)
    made.rename(out)
    shutil.rmtree(former, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def main() -> None:
    """Stage, vendor and build; see the functions."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("root", "book", "executed", "views", "staged", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    stage(options.book, options.executed, options.staged)
    write_colophon(options.staged / "colophon.md", options.executed, options.root)
    vendor(options.staged / "_vendor", options.views)
    build(options.staged, options.out)
    sys.stderr.write(f"the book is ready: {options.out / 'index.html'}\n")


if __name__ == "__main__":
    main()
