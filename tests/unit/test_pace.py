"""The pace: all who send stay under one limit together, and use nearly all of it."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dagster_project.classifiers.claude.pace import BLOCK_SECONDS, LATE_SECONDS, STALE_SECONDS, Pace
from dagster_project.storage.database import Database, sqlite_url
from dagster_project.storage.request_ledger.schema import METADATA

NOW = 1_790_000_000.0


class Clock:
    """A wall clock that is set by hand. What is reserved is told on the monotonic one: `wall` turns it back."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def wall(self, moments: Sequence[float]) -> list[float]:
        here = time.monotonic()
        return [self.now + (moment - here) for moment in moments]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    database = Database.open(sqlite_url(tmp_path / "l.sqlite"), [METADATA], clock)
    yield database
    database.close()


@pytest.fixture
def real_time(tmp_path: Path) -> Iterator[Callable[[], Database]]:
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database.open(sqlite_url(tmp_path / "r.sqlite"), [METADATA]))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


def most_within(moments: Sequence[float], seconds: float) -> int:
    """The most of these ascending moments that any window of so many seconds holds."""
    return max(bisect_left(moments, at + seconds) - i for i, at in enumerate(moments))


@pytest.mark.parametrize("limit", [1, 10, 50, 4000, 60_000])
def test_no_minute_holds_more_than_the_limit_nor_much_less(database: Database, clock: Clock, limit: int) -> None:
    """Prevents 429s for going too fast, and days lost for going too slow."""
    paces = [Pace(database, "messages", limit) for _ in range(3)]
    n = 5 * limit
    per_call = -(-n // 30)
    moments = sorted(m for i in range(30) for m in clock.wall(paces[i % 3].reserve([0] * per_call)))
    assert most_within(moments, 60.5) <= limit
    took = moments[-1] - moments[0]
    assert (len(moments) - 1) / took * 60 >= 0.95 * limit
    assert most_within(moments, 1.0) <= limit / 60 + 1.5, "evenly, from the very first second"


def test_the_other_names_have_limits_of_their_own(database: Database, clock: Clock) -> None:
    Pace(database, "messages", 60).reserve([0] * 100)
    assert clock.wall(Pace(database, "batches", 60).reserve([0]))[0] == pytest.approx(NOW, abs=0.1)


def test_an_idle_while_is_not_saved_up(database: Database, clock: Clock) -> None:
    pace = Pace(database, "messages", 600)
    pace.reserve([0])
    clock.now += 3600
    moments = clock.wall(pace.reserve([0] * 50))
    assert sum(at <= clock.now + 0.05 for at in moments) <= LATE_SECONDS * 10 + 2


def test_tokens_have_a_limit_too(database: Database, clock: Clock) -> None:
    pace = Pace(database, "messages", 60_000, tokens_per_minute=100_000)
    costs = [3000, 200, 200, 200, 5000] * 60
    moments = clock.wall(pace.reserve(costs))
    assert moments == sorted(moments)
    for i, at in enumerate(moments):
        within = [cost for other, cost in zip(moments[i:], costs[i:], strict=True) if other < at + 60]
        assert sum(within) - within[-1] <= 100_000
    assert sum(costs[:-1]) / (moments[-1] - moments[0]) * 60 >= 95_000
    assert most_within(moments, 0.01) <= LATE_SECONDS * 1000 + 2, "small ones behind a large one do not come at once"


def test_a_pause_holds_for_all(database: Database, clock: Clock) -> None:
    one, two = Pace(database, "messages", 600), Pace(database, "messages", 600)
    one.pause(30)
    moments = clock.wall(two.reserve([0] * 20))
    assert min(moments) >= NOW + 29.5
    assert most_within(moments, 1.0) <= 11 + LATE_SECONDS * 10
    one.pause(5)
    assert min(clock.wall(two.reserve([0]))) > max(moments), "a shorter pause does not end a longer one"
    one.pause(1e9)
    assert min(clock.wall(two.reserve([0]))) <= NOW + 3601, "a server's nonsense does not stop us for days"
    one.pause(-5)


@pytest.mark.parametrize("step", [-3600.0, -0.5, 3600.0])
def test_a_clock_that_is_set_anew_changes_no_pace(database: Database, clock: Clock, step: float) -> None:
    """Prevents an hour of silence, or of twice the limit, when the clock of a host is corrected."""
    pace = Pace(database, "messages", 600)
    before = pace.reserve([0] * 20)
    clock.now += step
    after = pace.reserve([0] * 20)
    if step < 0:
        assert after[0] - before[-1] == pytest.approx(60 / 600 / 0.97, abs=0.1)
    else:
        assert after[0] - time.monotonic() < 60
    assert most_within(after, 1.0) <= 10 + LATE_SECONDS * 10 + 1


@pytest.mark.parametrize(("requests", "tokens"), [(0, None), (-1, None), (10, 0)])
def test_a_limit_of_nothing_is_refused(database: Database, requests: float, tokens: float | None) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(database, "messages", requests, tokens)


def test_waiting_is_first_come_first_served_and_survives_who_gives_up(real_time: Callable[[], Database]) -> None:
    done: list[int] = []

    async def main() -> None:
        pace = Pace(real_time(), "messages", 6000)

        async def one(n: int) -> None:
            await pace.acquire()
            done.append(n)

        tasks = [asyncio.create_task(one(n)) for n in range(60)]
        await asyncio.sleep(0.1)
        for n in (20, 21, 40, 59):
            tasks[n].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert done == [n for n in range(60) if n not in (20, 21, 40, 59)]


def test_a_sender_that_hung_does_not_send_all_at_once(real_time: Callable[[], Database]) -> None:
    """Prevents a burst beyond the limit when a machine wakes up, or a loop was held up."""
    sent: list[float] = []

    async def main() -> None:
        pace = Pace(real_time(), "messages", 6000)

        async def one() -> None:
            await pace.acquire()
            sent.append(time.monotonic())

        tasks = [asyncio.create_task(one()) for _ in range(120)]
        await asyncio.sleep(0.3)
        time.sleep(STALE_SECONDS + 0.7)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert most_within(sent, 0.05) <= (0.05 + LATE_SECONDS + BLOCK_SECONDS) * 100 + 2
    assert len(sent) == 120


def test_a_pause_reaches_those_who_already_wait(real_time: Callable[[], Database]) -> None:
    async def main() -> tuple[int, float]:
        pace, sent = Pace(real_time(), "messages", 600), []

        async def one() -> None:
            await pace.acquire()
            sent.append(time.monotonic())

        tasks = [asyncio.create_task(one()) for _ in range(15)]
        await asyncio.sleep(0.35)
        began = time.monotonic()
        await asyncio.to_thread(pace.pause, 1.0)
        await asyncio.gather(*tasks)
        return len([at for at in sent if began + 0.05 < at < began + 0.95]), sent[-1] - began

    during, last = asyncio.run(main())
    assert during <= 1, "the one whose turn it was"
    assert last > 1.5


def test_loops_in_several_threads_share_the_limit(real_time: Callable[[], Database]) -> None:
    sent: list[float] = []

    def loop() -> None:
        database = real_time()

        async def main() -> None:
            pace, end = Pace(database, "messages", 3000), time.monotonic() + 2

            async def one() -> None:
                while time.monotonic() < end:
                    await pace.acquire()
                    sent.append(time.monotonic())
                    await asyncio.sleep(0.2)

            await asyncio.gather(*(one() for _ in range(10)))

        asyncio.run(main())

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_within(sorted(sent), 1.0) <= 50 * (1 + LATE_SECONDS + STALE_SECONDS)
    assert len(sent) >= 80, "two seconds at 50 a second, on a busy machine"


SENDER = """
import asyncio, json, sys, time
from dagster_project.classifiers.claude.pace import Pace
from dagster_project.storage.database import Database
from dagster_project.storage.request_ledger.schema import METADATA

async def main(url, begin, seconds):
    pace, sent = Pace(Database.open(url, [METADATA]), "messages", 4000), []
    await asyncio.sleep(begin - time.time())
    async def one():
        while time.time() < begin + seconds:
            await pace.acquire()
            sent.append(time.monotonic())
            await asyncio.sleep(0.3)
    await asyncio.gather(*(one() for _ in range(40)))
    print(json.dumps(sent))

asyncio.run(main(sys.argv[1], float(sys.argv[2]), 2.8))
"""


def test_processes_share_the_limit(tmp_path: Path) -> None:
    url, begin = sqlite_url(tmp_path / "p.sqlite"), time.time() + 2
    command = [sys.executable, "-c", SENDER, url, str(begin)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    each = [json.loads(process.communicate(timeout=60)[0]) for process in running]
    sent = sorted(at for some in each for at in some)
    assert all(len(some) > 20 for some in each), "neither starves"
    assert most_within(sent, 1.0) <= 4000 / 60 * (1 + LATE_SECONDS + STALE_SECONDS)
    inner = [at for at in sent if sent[0] + 0.5 <= at <= sent[0] + 2.5]
    assert len(inner) >= 0.9 * 4000 / 60 * 2
