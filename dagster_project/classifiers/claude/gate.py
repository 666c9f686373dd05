"""How many calls are under way at once: as many as the server answers well.

Lives here: the gate that live calls pass, first come, first served. It widens while answers come and narrows when the
server says that it is busy (additive increase, multiplicative decrease, on shares instead of single answers: a few
busy answers among many are the weather, not a limit). Not here: requests a minute (`pace.py`), trying again
(`live.py`).
"""

import asyncio
from collections import deque

NARROW_ABOVE, WIDEN_BELOW = 0.3, 0.2
"""Of a round of answers, those that said the server was busy. One in ten comes and goes by itself on a bad day."""
FIRST_WIDTH = 16
ROUND = 20
"""Answers at least before anything is changed."""


class Gate:
    """Lets at most `width` calls through at once. For one event loop."""

    def __init__(self, most: int) -> None:
        self.width = float(min(most, FIRST_WIDTH))
        self._most = most
        self._inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._doubling = True
        self._latest: deque[bool] = deque(maxlen=ROUND)
        self._answers = self._busy = 0

    @property
    def is_crowded(self) -> bool:
        """Whether the server has called itself busy more often than now and again."""
        return sum(self._latest) > NARROW_ABOVE * max(len(self._latest), ROUND // 3)

    async def enter(self) -> None:
        """Wait for room."""
        if self._inside < int(self.width) and not self._queue:
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self._inside -= 1
        self._admit()

    def learn(self, busy: bool) -> None:
        """Take in one answer of the server: whether it called itself busy."""
        self._latest.append(busy)
        self._answers += 1
        self._busy += busy
        # A round of calls must pass before the effect of the last change is seen.
        if self._answers < max(ROUND, int(self.width)):
            return
        share = self._busy / self._answers
        self._answers = self._busy = 0
        if share > NARROW_ABOVE:
            self._doubling = False
            self.width = max(1.0, self.width * 0.7)
        elif share < WIDEN_BELOW:
            wider = self.width * 2 if self._doubling else self.width + max(1.0, self.width / 10)
            self.width = min(float(self._most), wider)
            self._admit()

    def _admit(self) -> None:
        while self._queue and self._inside < int(self.width):
            turn = self._queue.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
