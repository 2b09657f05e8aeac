"""Ctrl-C while work is handed over: heard afterwards, and by this process alone."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Ctrl-C is heard when the block ends; a process that is started in it never hears it, not even while it imports.

    `concurrent.futures` locks its futures in Python: an interrupt in the middle of that leaves a lock locked, and the
    pool then never ends. So futures are made and listened to in here, and waited for by a `queue.SimpleQueue`, which
    can be interrupted at any moment.

    Raises:
        KeyboardInterrupt: when the block ends, if Ctrl-C came meanwhile.
    """
    held: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    heard_here = callable(handler) and threading.current_thread() is threading.main_thread()
    if heard_here:  # a blocked signal may still reach another thread, and Python then tells this one
        signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if heard_here:
            signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)
