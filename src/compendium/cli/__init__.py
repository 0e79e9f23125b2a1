"""`compendium`: every step of the book as a command, without a notebook."""

import errno
import importlib
import sys

import click

from compendium import __version__
from compendium.errors import InputError

# command name → module of this package that holds it under the same name ("-" becomes "_")
COMMANDS: dict[str, str] = {
    "classify": "classify",
    "connectome": "connectome",
    "data": "data",
    "import-ictrp": "records",
    "link": "link",
    "records": "records",
    "search": "search",
}


# the disk is full, or the place may not be written or cannot be: no fault of the program
MACHINE_FAULTS = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EIO,
)  # fmt: skip


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"compendium.cli.{COMMANDS[cmd_name]}")
        return getattr(module, cmd_name.replace("-", "_"))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def compendium() -> None:
    """Run one step of the compendium: from registry snapshots to a verdict on pain networks."""


def main() -> None:
    """Run the command line; what a person can mend becomes one line on stderr and exit code 1."""
    try:
        compendium()
    except InputError as error:
        click.echo(f"compendium: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in MACHINE_FAULTS:
            raise
        click.echo(f"compendium: {error.filename or 'writing'}: {error.strerror}", err=True)
        sys.exit(1)
