"""The `nave` command: the composition root, and the only part that may import all others."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the console script: run one command and exit with its status."""
    from nave.cli.app import app

    app(sys.argv[1:]).main(sys.argv[1:])
