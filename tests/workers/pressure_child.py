"""A hub whose door is open and whose apply stands still, as a process of its own: whatever comes in, stays."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from nave.cli.doors import opened_doors
from nave.config import load
from nave.workers.build import build_hub, compile_hub
from nave.workers.loops import Run


def main(folder: Path) -> None:
    """Say where the door is, and keep it open until there is no more input."""
    config = load(folder).config
    assert config is not None
    hub = build_hub(config, compile_hub(config), deaf=True)
    run = Run(hub)
    threading.excepthook = lambda args: print(args, file=sys.stderr)
    try:
        with opened_doors(run, config) as url:
            print(url, flush=True)
            sys.stdin.read()
    finally:
        run.close()
        hub.store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
