"""Turns: whoever waits longest is next, and who gave up is in nobody's way."""

import threading
import time

from dagster_project.storage.turns import Turns


def test_those_who_wait_are_served_in_order_and_before_who_comes_back() -> None:
    """Prevents a writer from waiting for ever beside one that takes its turn again at once."""
    turns, served = Turns(), list[str]()
    assert turns.take(1)

    def wait(name: str) -> None:
        assert turns.take(60)
        served.append(name)
        turns.give()

    threads = []
    for n, name in enumerate("abc"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        while len(turns._waiting) < n + 1:
            time.sleep(0.001)
    turns.give()
    wait("back again")
    for thread in threads:
        thread.join()
    assert served == ["a", "b", "c", "back again"]


def test_who_gave_up_is_passed_over() -> None:
    turns = Turns()
    assert turns.take(1)
    assert not turns.take(0.01)
    turns.give()
    assert turns.take(1)
