"""`python -m compendium` is the command `compendium`."""

from compendium.cli import main

main()
