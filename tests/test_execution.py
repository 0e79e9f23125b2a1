"""The progress line: counts cells, foretells the rest, and is not a flood in a log."""

from compendium.execution import ProgressLine


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_the_progress_line_counts_cells_and_foretells_the_rest():
    line = ProgressLine("05_landscape", 4, [1.0, 2.0, 3.0, 4.0], Clock())
    assert line.text(2) == "05_landscape: cell 3 of 4, 0 s, about 7 s left"


def test_without_a_former_run_the_pace_so_far_foretells_the_rest():
    clock = Clock()
    line = ProgressLine("a", 4, [1.0], clock)
    assert line.text(0) == "a: cell 1 of 4, 0 s"
    clock.now = 6.0
    assert line.text(2) == "a: cell 3 of 4, 6 s, about 6 s left at this pace"


def test_off_a_terminal_a_line_when_it_starts_and_at_most_every_ten_seconds(capsys):
    clock = Clock()
    line = ProgressLine("a", 5, [5.0] * 5, clock)
    for cell, now in enumerate([0.0, 4.0, 9.0, 11.0, 19.0]):
        clock.now = now
        line.report(cell)
    clock.now = 21.0
    line.finish()
    assert capsys.readouterr().err.splitlines() == [
        "a: cell 1 of 5, 0 s, about 25 s left",
        "a: cell 4 of 5, 11 s, about 10 s left",
        "a: 5 cells done in 21.0 s",
    ]


def test_a_long_cell_is_heard_of_while_it_runs(capsys):
    clock = Clock()
    line = ProgressLine("a", 2, [30.0, 1.0], clock)
    line.report(0)
    for now in (1.0, 9.0, 10.0, 15.0, 20.0, 40.0):
        clock.now = now
        line.again()
    assert capsys.readouterr().err.splitlines() == [
        "a: cell 1 of 2, 0 s, about 31 s left",
        "a: cell 1 of 2, 10 s, about 21 s left",
        "a: cell 1 of 2, 20 s, about 11 s left",
        "a: cell 1 of 2, 40 s, about 1 s left",
    ]
