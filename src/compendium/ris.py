"""RIS, the reference managers' format: written so that no text can break its lines."""

import re
from collections.abc import Mapping, Sequence

import rispy

# line ends and control characters would break a format of lines
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class _Writer(rispy.RisWriter):
    """Writes entries without a running number before each, which is not part of the format."""

    def set_header(self, count: int) -> str:
        return ""


def ris_document(entries: Sequence[Mapping[str, object]]) -> str:
    r"""Return entries as the text of a RIS file.

    Parameters
    ----------
    entries : sequence of mapping
        Field name of `rispy` → text or list of texts. Each text is brought to one line; an empty
        field is left out.

    Examples
    --------
    >>> text = ris_document([{"type_of_reference": "ELEC", "title": "TMS\nfor pain", "year": ""}])
    >>> text.split("\n")
    ['TY  - ELEC', 'TI  - TMS for pain', 'ER  - ', '']
    """
    return rispy.dumps([_stated_fields(entry) for entry in entries], implementation=_Writer)


def _stated_fields(entry: Mapping[str, object]) -> dict[str, object]:
    return {
        name: [one_line(one) for one in value] if isinstance(value, list) else one_line(value)
        for name, value in entry.items()
        if value
    }


def one_line(text: object) -> str:
    r"""Return a text on one line, without control characters.

    Examples
    --------
    >>> one_line("TMS\r\nER  - for\x00 pain ")
    'TMS ER - for pain'
    """
    return _BREAKS.sub(" ", str(text)).strip()
