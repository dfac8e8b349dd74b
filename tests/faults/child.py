"""`nave` as the fault runs start it: `python -m tests.faults.child DEFECT ARGUMENT...`; `-` for no defect."""

from __future__ import annotations

import sys


def main() -> None:
    """Plant the defect, then be the command."""
    if sys.argv[1] != "-":
        from tests.faults.defects import plant

        plant(sys.argv[1])
    from nave.cli.app import app

    arguments = sys.argv[2:]
    app(arguments).main(arguments)


if __name__ == "__main__":
    main()
