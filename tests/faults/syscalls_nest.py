"""Runs `nave` in processes that are forked from one that has everything loaded: a run costs a fraction of a second.

Reads one JSON line per run from stdin, and answers with the process id at once and with the exit status at the end. The shim
that counts and breaks calls is preloaded into this process, and armed in the forked one only.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
from typing import Any

ROOTS = ("core", "formats", "connectors", "mappings", "config", "workers", "api", "cli")
UNWANTED = ("__main__", "contracts", ".versions", ".env")
"""Modules that a run does not import, or that do something when they are."""


def _load() -> None:
    """Import all that a run would import; what is imported later counts as a call of the run."""
    for root in (
        "nave.core",
        "nave.formats",
        "nave.connectors",
        "nave.mappings",
        "nave.config",
        "nave.workers",
        "nave.api",
        "nave.cli",
    ):
        package = importlib.import_module(root)
        for module in pkgutil.walk_packages(package.__path__, f"{root}."):
            if (
                not module.name.endswith(("__main__", "contracts"))
                and ".versions" not in module.name
                and ".env" not in module.name
            ):
                importlib.import_module(module.name)


def _become(order: dict[str, Any]) -> None:
    """Be `nave` with these arguments, under these faults, from now on."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order["environ"])
    signal.alarm(order["seconds"])
    if order["memory"]:
        resource.setrlimit(resource.RLIMIT_AS, (order["memory"], order["memory"]))
    points = os.open(order["points"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if order["points"] else -1
    shim = ctypes.CDLL(None)
    if order["shim"]:
        bounds = (ctypes.c_long(order["first"]), ctypes.c_long(order["last"]))
        shim.syscalls_arm(order["folder"].encode(), *bounds, order["error"], points, order["only"].encode())
    sys.argv = ["nave", *order["arguments"]]
    from nave.cli import main

    main()


def serve() -> None:
    """Until stdin ends."""
    _load()
    gc.freeze()  # what every fork has in common is not looked through in each
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            _become(json.loads(line))
            os._exit(0)
        print(json.dumps({"pid": child}), file=answers)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), file=answers)


if __name__ == "__main__":
    serve()
