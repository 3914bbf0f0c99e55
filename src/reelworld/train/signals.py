"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a request to finish the step and save.

with stop_signals() as stop:
    while not stop.requested: ...
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from reelworld.core import runtime


@dataclass
class Stop:
    """Holds the name of the signal that asked to stop; empty while none did."""

    requested: str = ""


def _watched() -> list[signal.Signals]:
    """Return the signals that ask to stop."""
    return [
        number
        for number in runtime.STOPPING
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn the first such signal into a request; a second one ends at once (main thread only).

    A SIGHUP that is ignored stays so: that is what `nohup` is for.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _watched()}

    def request(number: int, frame: FrameType | None) -> None:
        stop.requested = signal.Signals(number).name
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
