"""Which helper modules a chapter really uses, read from its imports without running it."""

import ast
from pathlib import Path

PACKAGE = "compendium"


def module_file(name: str, source: Path) -> Path | None:
    """Return the file of a module of this package, or None if there is no such module.

    Parameters
    ----------
    name : str
        Dotted name, such as ``compendium.search.query``.
    source : Path
        Folder that holds the package.
    """
    base = source.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def imported_modules(code: str) -> set[str]:
    """Return the dotted names that a piece of code imports from this package.

    ``from compendium import x`` may name a module or an attribute: both readings are returned, and
    `module_file` tells which exists.

    Examples
    --------
    >>> sorted(imported_modules("from compendium.search import query"))
    ['compendium.search', 'compendium.search.query']
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name == PACKAGE or name.startswith(PACKAGE + ".")}


def helper_files(code: str, source: Path) -> list[Path]:
    """Return every file of the package that the code needs, directly or through another.

    Parameters
    ----------
    code : str
        Python source, for example all code cells of a chapter.
    source : Path
        Folder that holds the package.

    Returns
    -------
    list of Path
        Sorted. A module's parent packages are included, since importing it runs them.
    """
    waiting, found = imported_modules(code), set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        parents = name.split(".")
        waiting |= {".".join(parents[:n]) for n in range(1, len(parents))} - seen
        path = module_file(name, source)
        if path is None:
            continue
        found.add(path)
        waiting |= imported_modules(path.read_text(encoding="utf-8")) - seen
    return sorted(found)
