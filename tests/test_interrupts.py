"""Ctrl-C is held back while work is handed over."""

import signal
import subprocess
import sys
import threading

import pytest

from prostate_alm.interrupts import ctrl_c_held


def test_ctrl_c_is_heard_when_the_block_ends() -> None:
    handler, begun, reached = signal.getsignal(signal.SIGINT), threading.Event(), threading.Event()

    def interrupt() -> None:
        begun.wait(60)
        signal.raise_signal(signal.SIGINT)  # in a thread that does not block it

    def hold() -> None:
        with ctrl_c_held():
            begun.set()
            other.join()
            reached.set()

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        hold()
    assert reached.is_set()
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_in_another_thread_the_first_thread_s_handler_is_left_alone() -> None:
    handler, seen = signal.getsignal(signal.SIGINT), list[object]()

    def hold() -> None:
        with ctrl_c_held():
            seen.append(signal.getsignal(signal.SIGINT))

    other = threading.Thread(target=hold)
    other.start()
    other.join()
    assert seen == [handler]


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from prostate_alm.interrupts import ctrl_c_held\n"
        "with ctrl_c_held(): signal.raise_signal(signal.SIGINT)\n"
        "print(signal.getsignal(signal.SIGINT).name)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "SIG_IGN\n"
