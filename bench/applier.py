"""A worker that applies and does nothing else, until SIGTERM. `python -m bench.applier HUB_FOLDER`."""

from __future__ import annotations

import signal
import sys
import threading

from nave.config import load
from nave.workers.build import build_hub, compile_hub
from nave.workers.loops import Run


def main() -> None:
    """Run the one loop."""
    loaded = load(sys.argv[1])
    assert loaded.config, [problem.render() for problem in loaded.problems]
    hub = build_hub(loaded.config, compile_hub(loaded.config))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    work = Run(hub)
    work.start(alone=False, parts=frozenset({"apply"}))
    print("at work", flush=True)
    ended.wait()
    work.close()


if __name__ == "__main__":
    main()
