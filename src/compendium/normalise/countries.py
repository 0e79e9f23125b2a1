"""Country names as registries write them, resolved by a committed table and never guessed."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from compendium.errors import InputError
from compendium.tables import read_table

ALIAS_COLUMNS = ["name", "alpha3", "note"]


def country_key(name: str) -> str:
    """Return the form under which a country name is looked up.

    Case, curly apostrophes and repeated or trailing blanks make no difference.

    Examples
    --------
    >>> country_key("Côte d’Ivoire ")
    "côte d'ivoire"
    """
    return " ".join(name.replace("’", "'").split()).casefold()


def resolve_countries(
    names: Iterable[str], aliases: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Turn country names into ISO 3166 alpha-3 codes.

    Parameters
    ----------
    names : iterable of str
        The registry's names; a name may occur more than once.
    aliases : mapping
        `country_key` of a name → alpha-3 code. A name that the table holds with an empty code is
        known to be no country.

    Returns
    -------
    codes : tuple of str
        Sorted, each once.
    unresolved : tuple of str
        Names without a code, in order, each once.
    """
    codes, unresolved = set(), {}
    for name in names:
        code = aliases.get(country_key(name), "")
        if code:
            codes.add(code)
        else:
            unresolved[name] = None
    return tuple(sorted(codes)), tuple(unresolved)


def read_country_aliases(path: Path) -> dict[str, str]:
    """Read the alias table.

    Parameters
    ----------
    path : Path
        CSV with the columns ``name`` (as a registry writes it), ``alpha3`` (ISO 3166-1; empty for
        a name that is known to be no one country) and ``note``.

    Returns
    -------
    dict
        `country_key` of a name → alpha-3 code or ``""``.

    Raises
    ------
    InputError
        If columns are missing, a code has not three capitals, or a name has two codes.
    """
    table = read_table(path)
    if list(table.columns) != ALIAS_COLUMNS:
        raise InputError(
            f"the columns are {', '.join(table.columns)}, not {', '.join(ALIAS_COLUMNS)}",
            where=str(path),
            remedy="restore the header",
        )
    aliases: dict[str, str] = {}
    rows = table[["name", "alpha3"]].fillna("").itertuples(index=False)
    for line, (name, code) in enumerate(rows, start=2):
        key = country_key(name)
        if code and not (len(code) == 3 and code.isalpha() and code.isupper()):
            raise InputError(f"{code!r} is no alpha-3 code", where=f"{path}, line {line}",
                             remedy="use ISO 3166-1 alpha-3")  # fmt: skip
        if aliases.setdefault(key, code) != code:
            raise InputError(f"{name!r} has two codes: {aliases[key]!r} and {code!r}",
                             where=f"{path}, line {line}", remedy="keep one")  # fmt: skip
    return aliases
