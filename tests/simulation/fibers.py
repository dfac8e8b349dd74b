"""Steps that stop where the simulation says so: each runs in a thread of its own, and only the one with the baton moves."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Crash(BaseException):
    """The process is gone: no handler of errors sees it, nothing after it happens."""


class Fiber:
    """One step of one worker; between two of its stops nobody else moves, so the order of all things is the scheduler's."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.name = name
        self.result: object = None
        self.error: BaseException | None = None
        self.ended = False
        self.holding = 0
        """Transactions it has open: nobody could wait for the locks of a step that stands still."""
        self._work = work
        self._doomed = False
        self._mine = threading.Lock()
        self._theirs = threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Let it move until it stops or ends; called by the scheduler."""
        self._mine.release()
        self._theirs.acquire()
        if self.ended:
            self._thread.join()

    def suspend(self) -> None:
        """Stand still until the scheduler wants more; called by the step itself."""
        self._theirs.release()
        self._mine.acquire()
        if self._doomed:
            raise Crash

    def kill(self) -> None:
        """Its process is gone where it stands."""
        self._doomed = True
        while not self.ended:
            self.resume()

    def _run(self) -> None:
        self._mine.acquire()
        try:
            if not self._doomed:
                self.result = self._work()
        except BaseException as error:
            self.error = error
        self.ended = True
        self._theirs.release()
