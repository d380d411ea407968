"""Ctrl-C that waits until nothing is half done."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from embedclf.system import interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored(interruptible: None) -> Iterator[None]:  # noqa: ARG001 - comes first
    """See that the handler of Ctrl-C is what it was."""
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_waits_until_it_is_asked_for() -> None:
    with interrupts.deferred() as heed:
        heed()
        press()
        with pytest.raises(KeyboardInterrupt):
            heed()
        heed()


def test_ctrl_c_waits_no_longer_than_to_the_end() -> None:
    done = []

    @interrupts.deferred()
    def work() -> None:
        press()
        done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


def test_a_second_ctrl_c_does_not_wait() -> None:
    with interrupts.deferred():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_ctrl_c_goes_before_a_fault() -> None:
    @interrupts.deferred()
    def work() -> None:
        press()
        raise ValueError("at fault")

    with pytest.raises(KeyboardInterrupt) as raised:
        work()
    assert isinstance(raised.value.__context__, ValueError)


def test_one_within_another_tells_it() -> None:
    with interrupts.deferred() as heed:
        with interrupts.deferred():
            press()
        with pytest.raises(KeyboardInterrupt):
            heed()


def test_a_handler_of_the_caller_is_called() -> None:
    called: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: called.append(number))
    with interrupts.deferred() as heed:
        press()
        assert called == []
        heed()
    assert called == [signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_that_means_nothing_goes_on_to_mean_nothing() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.deferred() as heed:
        press()
        heed()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_leave_ctrl_c_alone() -> None:
    found = []

    def look() -> None:
        with interrupts.deferred() as heed, interrupts.ignored():
            heed()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_ctrl_c_can_be_ignored() -> None:
    with interrupts.ignored():
        press()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_requests_to_end_wait_as_well(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)  # of a process that nohup started SIG_IGN
    with interrupts.raised():
        with interrupts.deferred() as heed:
            signal.raise_signal(number)
            with pytest.raises(SystemExit) as raised:
                heed()
        assert raised.value.code == 128 + number
        with pytest.raises(SystemExit):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before
