"""Registry text: what exports do to it, undone; what people wrote, kept."""

import html
import re

import ftfy

LONG_TITLE = 2_000
# The portal cuts criteria in mid-word at this length.
CUT_LENGTH = 8_000

_AMP = re.compile(r"&amp;", re.IGNORECASE)
_BREAK = re.compile(r"<\s*br\s*/?\s*>", re.IGNORECASE)
# Controls other than tab and line ends, and marks that reorder the text around them.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# NUL and lone surrogates cannot be written to a table at all; a bare carriage return would end
# a CSV row.
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    r"""Make a text fit for any table, changing as little as can be.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        NUL and lone surrogates become U+FFFD, line ends become "\n"; all else is kept, also
        control characters and marks of writing direction.

    Examples
    --------
    >>> storable("pain\r\nat night\0")
    'pain\nat night\ufffd'
    """
    return _UNWRITABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def oddities(text: str) -> list[str]:
    """Name what is odd about a title: "markup", "control-characters", "very-long".

    Examples
    --------
    >>> oddities("<script>alert(1)</script>")
    ['markup']
    """
    found = []
    if re.search(r"<\s*/?\s*[a-zA-Z]", text):
        found.append("markup")
    if _CONTROL.search(text) or "\ufffd" in text:
        found.append("control-characters")
    if len(text) > LONG_TITLE:
        found.append("very-long")
    return found


def unescape_fully(text: str) -> str:
    """Undo character entities until none is left, at most three layers deep.

    Examples
    --------
    >>> unescape_fully("Alzheimer&amp;amp;#39;s &amp;lt;br&amp;gt;")
    "Alzheimer's <br>"
    """
    for _ in range(3):
        once = html.unescape(_AMP.sub("&", text))
        if once == text:
            break
        text = once
    return text


def repair_mojibake(text: str) -> str:
    """Undo a decoding of UTF-8 as Latin-1, Windows-1252 or Mac Roman, where that is certain.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The repair by `ftfy`, or by one strict round trip through Mac Roman (what a spreadsheet on
        an older Macintosh does), or the text as it was.

    Examples
    --------
    >>> repair_mojibake("Universit√§tsklinikum"), repair_mojibake("a gain of √2")
    ('Universitätsklinikum', 'a gain of √2')
    """
    if text.isascii():
        return text
    repaired = ftfy.fix_encoding(text)
    if repaired == text and ("√" in text or "‚" in text):
        try:
            repaired = text.encode("mac_roman").decode("utf-8")
        except UnicodeError:
            return text
    return repaired


def breaks_to_lines(text: str) -> str:
    r"""Turn ``<br>`` into line ends and trim the lines; drop empty ones.

    Examples
    --------
    >>> breaks_to_lines("<br>  Inclusion: <br><br> adults <br>")
    'Inclusion:\nadults'
    """
    lines = _BREAK.sub("\n", text).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
