"""Numbers that somebody typed into prose where the run should have put them."""

import re
from collections.abc import Iterator

NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?"
COUNTED = (
    r"trials|records|registrations|studies|targets|regions|parcels|subjects|links|"
    r"pairs|seeds|items|terms|labels"
)
STATISTIC = r"kappa|dice|rho|correlation|precision|recall|\bp|\bz|\bt|\br"
# what a result looks like: a share, k of n, a count of what the book counts, a statistic
RESULT = re.compile(
    rf"(?:{NUMBER}) of (?:{NUMBER})|(?:{NUMBER})\s?%|(?:{NUMBER}) (?:{COUNTED})\b|"
    rf"(?:{STATISTIC})\s(?:was|is|of|=|<|>)\s(?:{NUMBER})",
    re.IGNORECASE,
)
# what the paper's abstract says, and the levels that statistics are stated at
SAID = re.compile(
    r"^(?:(?:49\.3|43\.7|3|1|5|50|80|90|95|99|100)\s?%|(?:487|240|213) trials|34 of 487)$"
)
# numbers told of others or made up for teaching: the sentence says so
TOLD = re.compile(
    r"\{cite|\]\(https?:|suppose|imagine|for example|for instance|\bsay\b|\bif\b|had been|would|"
    r"known to|\bpaper\b",
    re.IGNORECASE,
)
# figures a rule was set by, before this book ran: phrase → where they come from
BEFOREHAND = {"105 pairs": "the check behind the limit for equal titles, linkage.comparison"}


def typed_results(markdown: str, code: str) -> Iterator[str]:
    """Yield what looks like a result and is neither bound, cited, made up nor set in `code`.

    Parameters
    ----------
    markdown : str
        One cell of a chapter.
    code : str
        All code of the chapter; a number that stands in it is a choice, not a result.
    """
    # exercises suppose their numbers, and solutions reckon with them
    prose = re.sub(r"^(`{3,}|:{3,})\{(exercise|solution)\}.*?^\1", "", markdown, flags=re.M | re.S)
    prose = re.sub(r"^```.*?$|^:\w+:.*$", "", prose, flags=re.MULTILINE)
    # a sentence may run over lines; a bound number keeps its place in it
    prose = re.sub(r"\{glue:\w+\}`[^`]*`", "BOUND", prose)
    chosen = set(re.findall(NUMBER, code))
    for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z*\[`-])|\n\s*\n|\n(?=[-*|])", prose):
        if TOLD.search(sentence):
            continue
        for found in RESULT.finditer(re.sub(r"`[^`]*`", " ", sentence)):
            words = " ".join(found.group().split())
            numbers = re.findall(NUMBER, words)
            if words in BEFOREHAND or SAID.match(words):
                continue
            if not all(n in chosen for n in numbers):
                yield words
