"""Timing: several sides in turn, so that a busy machine slows all of them."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Side = TypeVar("Side", bound=str | int)


def seconds_of(action: Callable[[], object]) -> float:
    """Do `action` and return how long it took."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


# After this many seconds in total, and at least this many rounds, a measurement is long enough.
ENOUGH_SECONDS, LEAST_ROUNDS = 10, 5


def alternate(rounds: int, sides: Mapping[Side, Callable[[], object]]) -> dict[Side, list[float]]:
    """Run all sides in turn for at most this many rounds, and return the seconds of each.

    An additional first round is not counted, so that caches and connections are warm.
    """
    for action in sides.values():
        action()
    taken: dict[Side, list[float]] = {side: [] for side in sides}
    until = time.perf_counter() + ENOUGH_SECONDS
    for done in range(rounds):
        if done >= LEAST_ROUNDS and time.perf_counter() > until:
            break
        for side, action in sides.items():
            taken[side].append(seconds_of(action))
    return taken


def at_once(actions: Sequence[Callable[[], object]]) -> None:
    """Do everything at the same moment, each in its own thread. Raises the first error."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        barrier.wait()
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
