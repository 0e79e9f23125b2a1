"""The one exception that a person is meant to read."""


class InputError(ValueError):
    """Something handed in by a person cannot be used.

    Parameters
    ----------
    what : str
        What is wrong, in a sentence.
    where : str, optional
        The file, line, record or key that is wrong.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(InputError("the file is empty", where="page-0001.json", remedy="fetch it again"))
    page-0001.json: the file is empty; fetch it again
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__((f"{where}: " if where else "") + what + (f"; {remedy}" if remedy else ""))
