"""`python -m nave.cli` is `nave`."""

from nave.cli import main

main()
