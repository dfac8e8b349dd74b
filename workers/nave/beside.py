"""A hub inside another Python application's process: `from nave.beside import Hub`."""

from nave.core.journal import Landed
from nave.core.protocols import Outbound
from nave.workers.beside import Effect, Hub

__all__ = ["Effect", "Hub", "Landed", "Outbound"]
