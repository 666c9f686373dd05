"""A lock whose waiting threads get it in the order in which they came.

Python's own goes to whoever is awake: on a busy machine a thread that writes again and again takes it back before one
that waits has woken up. Not here: locks between processes (`database.py`, `warehouse.py`).
"""

import threading
from collections import deque


class Turns:
    """One holder at a time, first come, first served. Not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    def take(self, seconds: float) -> bool:
        """Wait for the turn; False where it did not come within so many seconds."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            ours = threading.Event()
            self._waiting.append(ours)
        if ours.wait(seconds):
            return True
        with self._guard:
            if ours.is_set():  # it came while we gave up
                return True
            self._waiting.remove(ours)
            return False

    def give(self) -> None:
        """Hand it to the one who has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False
