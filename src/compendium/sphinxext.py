"""What the book needs of Sphinx beyond its configuration: our scripts in, other hosts' out."""

import hashlib
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.template import Node, field, sentence
from sphinx.application import Sphinx


class TitlesAsWritten(PlainStyle):
    """References sorted by author, with the capitals that a title has in the bibliography."""

    def format_title(self, e: Any, which_field: str, as_sentence: bool = True) -> Node:  # noqa: ANN401
        """Return a title unchanged."""
        title = field(which_field)
        return sentence[title] if as_sentence else title


ASSETS = Path(__file__).parent / "assets"
# served from other hosts, or loaded on every page for a feature that this book does not use
UNWANTED = re.compile(r"thebe|unpkg\.com|jsdelivr|cdnjs|mathjax@|require\.js")


def add_assets(app: Sphinx) -> None:
    """Put the house's scripts and styles on every page, named by their content."""
    target = Path(app.srcdir) / "_vendor"
    target.mkdir(exist_ok=True)
    for asset in sorted(ASSETS.glob("*.*")):
        content = asset.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:10]
        name = f"{asset.stem}-{digest}{asset.suffix}"
        (target / name).write_bytes(content)
        if asset.suffix == ".css":
            app.add_css_file(name, priority=900)
        elif asset.suffix == ".js":
            app.add_js_file(name, defer="defer", priority=900)
    app.config.html_static_path.append(str(target))
    app.config.mathjax_path = "mathjax.js"


def keep_to_this_host(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Drop scripts of other hosts, and in-page scripts that configure them."""
    kept = []
    for script in context.get("script_files", []):
        name = getattr(script, "filename", None) or str(script)
        attributes = getattr(script, "attributes", {})
        if not UNWANTED.search(str(name)) and not UNWANTED.search(str(attributes.get("body", ""))):
            kept.append(script)
    context["script_files"] = kept


def point_to_the_text(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Say where a page's source lies: chapters are written as text and staged as notebooks."""
    suffix = context.get("page_source_suffix")
    if suffix == ".ipynb":
        context["page_source_suffix"] = ".md"
    context["page_text"] = f"{pagename}.md"


def name_exercises_apart(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give the body of each exercise and solution an id of its own."""
    for section in doctree.findall(nodes.section):
        if section["ids"] in (["exercise-content"], ["solution-content"]):
            section["ids"] = [f"{parent}-content" for parent in section.parent["ids"][:1]]


def mend_markup(app: Sphinx, exception: Exception | None) -> None:
    """Mend what screen readers and keyboards stumble over in the pages' markup."""
    if exception is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        mended = mended_markup(text)
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def mended_markup(text: str) -> str:
    """Return a page without a withdrawn ARIA role and an empty list, and with reachable tables.

    Examples
    --------
    >>> mended_markup('<div role="list" class="citation-list"><ul role="list">')
    '<div class="citation-list"><ul role="list">'
    """
    text = text.replace(' role="doc-biblioentry"', "")
    text = text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    # what scrolls sideways must be reachable by keyboard
    frame = '<div class="pst-scrollable-table-container"'
    return text.replace(f"{frame}>", f'{frame} role="region" tabindex="0" aria-label="Table">')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks."""
    register_plugin("pybtex.style.formatting", "titles-as-written", TitlesAsWritten)
    app.connect("builder-inited", add_assets, priority=100)
    app.connect("html-page-context", keep_to_this_host, priority=990)
    app.connect("html-page-context", point_to_the_text, priority=100)
    app.connect("doctree-resolved", name_exercises_apart)
    app.connect("build-finished", mend_markup)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
