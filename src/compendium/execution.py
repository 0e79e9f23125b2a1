"""How cells are executed: a papermill engine with a progress line and private sockets."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENGINE = "compendium"
SECONDS_BETWEEN_LINES = 10.0


class KernelLostError(Exception):
    """A kernel that died, or did not answer, while it ran a cell.

    Attributes
    ----------
    cell_index : int
        Position of the cell, counted from 0.
    cause : str
        What happened, in one line.
    """

    def __init__(self, cell_index: int, cause: str) -> None:
        super().__init__(f"cell {cell_index + 1}: {cause}")
        self.cell_index = cell_index
        self.cause = cause


class ProgressLine:
    """Cell k of n, seconds so far, and seconds left as the last run foretells.

    On a terminal one line is rewritten in place. Elsewhere a line is written when the chapter
    starts, and then at most every ten seconds.

    Parameters
    ----------
    chapter : str
        Shown first.
    n_cells : int
        Cells in all.
    expected : list of float
        Seconds of each cell in the last run. Without one, or if cells were added since, the time
        left is judged by the pace so far.
    clock : callable
        Seconds, rising.
    """

    def __init__(
        self,
        chapter: str,
        n_cells: int,
        expected: list[float],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.chapter, self.n_cells = chapter, n_cells
        self.expected = expected if len(expected) == n_cells else []
        self.clock = clock
        self.started = self.last = self.cell_started = clock()
        self.cell, self.fresh = 0, True
        self.live = sys.stderr.isatty()

    def text(self, cell: int) -> str:
        """Return the line for the cell (counted from 0) that is about to run."""
        spent = self.clock() - self.started
        left = ""
        if self.expected:
            # of the cell that is running, what is over is not left
            over = min(self.clock() - self.cell_started, self.expected[cell])
            left = f", about {sum(self.expected[cell:]) - over:.0f} s left"
        elif cell:
            left = f", about {spent / cell * (self.n_cells - cell):.0f} s left at this pace"
        return f"{self.chapter}: cell {cell + 1} of {self.n_cells}, {spent:.0f} s{left}"

    def report(self, cell: int) -> None:
        """Show the line for the cell that is about to run."""
        self.cell, self.cell_started = cell, self.clock()
        self.again()

    def again(self) -> None:
        """Show the line of the running cell, unless the last one is too fresh for a log."""
        cell = self.cell
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + self.text(cell)[:width].ljust(width))
            sys.stderr.flush()
        elif self.fresh or self.clock() - self.last >= SECONDS_BETWEEN_LINES:
            self.last, self.fresh = self.clock(), False
            sys.stderr.write(self.text(cell) + "\n")
            sys.stderr.flush()

    def finish(self) -> None:
        """Say that the chapter is done."""
        spent = self.clock() - self.started
        start = "\r" if self.live else ""
        sys.stderr.write(f"{start}{self.chapter}: {self.n_cells} cells done in {spent:.1f} s\n")
        sys.stderr.flush()


def register_engine() -> None:
    """Teach papermill an engine that reports each cell and keeps kernels off the network."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    class ReportingEngine(NBClientEngine):
        """nbclient, with a progress line and a socket folder of its own for each kernel."""

        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,  # noqa: ANN401
            kernel_name: str,
            *,
            chapter: str,
            expected: list[float],
            sockets: str,
            cell_timeout: int | None = None,
            **kwargs: Any,  # noqa: ANN401
        ) -> None:
            """Execute every cell and report before each."""
            line = ProgressLine(chapter, len(nb_man.nb.cells), expected)
            start = nb_man.cell_start
            running = 0

            def reporting_start(cell: Any, cell_index: int, **more: Any) -> None:  # noqa: ANN401
                nonlocal running
                running = cell_index
                line.report(cell_index)
                start(cell, cell_index, **more)

            nb_man.cell_start = reporting_start
            config = Config()
            if os.name == "posix":
                # sockets in a private folder: no port to race for, nothing shared between kernels
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(Path(sockets) / "k")
            client = PapermillNotebookClient(
                nb_man,
                kernel_name=kernel_name,
                config=config,
                timeout=cell_timeout,
                log_output=False,
            )
            done = threading.Event()

            def beat() -> None:
                while not done.wait(1.0):
                    line.again()

            threading.Thread(target=beat, daemon=True).start()
            try:
                # what the kernel's own process says (an interrupt while it shuts down, for one)
                with (Path(sockets) / "kernel.log").open("w") as log:
                    client.execute(stderr=log)
            except DeadKernelError:
                raise KernelLostError(
                    running, "the kernel died (often: the machine is out of memory)"
                ) from None
            except CellTimeoutError:
                raise KernelLostError(running, f"no answer within {cell_timeout} s") from None
            finally:
                done.set()
            line.finish()

    papermill_engines.register(ENGINE, ReportingEngine)
