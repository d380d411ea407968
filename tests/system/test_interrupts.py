"""Ctrl-C that waits until nothing is half done."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from embedclf.system import interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = [
    pytest.param(getattr(signal, name), id=name)
    for name in ("SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


@pytest.fixture
def handled(interruptible: None) -> Iterator[None]:  # noqa: ARG001 - comes first
    """Handle signals as the command line does, and see that the handlers are restored."""
    with interrupts.handled():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("handled")
def test_ctrl_c_waits_until_it_is_asked_for() -> None:
    with interrupts.deferred() as raise_requested:
        raise_requested()
        press()
        with pytest.raises(KeyboardInterrupt):
            raise_requested()
        raise_requested()


@pytest.mark.usefixtures("handled")
def test_ctrl_c_waits_no_longer_than_to_the_end() -> None:
    done = []

    @interrupts.deferred()
    def work() -> None:
        press()
        done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


@pytest.mark.usefixtures("handled")
def test_a_second_ctrl_c_does_not_wait() -> None:
    with interrupts.deferred():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


@pytest.mark.usefixtures("handled")
def test_ctrl_c_goes_before_a_fault() -> None:
    @interrupts.deferred()
    def work() -> None:
        press()
        raise ValueError("at fault")

    with pytest.raises(KeyboardInterrupt) as raised:
        work()
    assert isinstance(raised.value.__context__, ValueError)


@pytest.mark.usefixtures("handled")
def test_a_section_within_another_passes_its_request_on() -> None:
    with interrupts.deferred() as raise_requested:
        with interrupts.deferred():
            press()
        with pytest.raises(KeyboardInterrupt):
            raise_requested()


@pytest.mark.usefixtures("handled")
def test_ctrl_c_can_be_ignored() -> None:
    with interrupts.ignored():
        press()
    with pytest.raises(KeyboardInterrupt):
        press()


@pytest.mark.usefixtures("interruptible")
def test_what_the_process_was_started_to_ignore_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.handled(), interrupts.deferred() as raise_requested:
        press()
        raise_requested()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("handled")
def test_other_threads_defer_and_ignore_nothing() -> None:
    found: list[str] = []

    def look() -> None:
        with interrupts.deferred() as raise_requested, interrupts.ignored():
            main_may_go_on.set()
            pressed.wait()
            raise_requested()
            found.append("went on")

    main_may_go_on, pressed = threading.Event(), threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    main_may_go_on.wait()
    with pytest.raises(KeyboardInterrupt):
        press()
    pressed.set()
    thread.join()
    assert found == ["went on"]


@pytest.mark.parametrize("number", REQUESTS)
def test_other_requests_to_end_wait_as_well(number: int) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # ignored in a process that nohup started
    with interrupts.handled():
        with interrupts.deferred() as raise_requested:
            signal.raise_signal(number)
            with pytest.raises(SystemExit) as raised:
                raise_requested()
        assert raised.value.code == 128 + number
        with interrupts.ignored(), pytest.raises(SystemExit):
            signal.raise_signal(number)
    assert signal.signal(number, before) is signal.SIG_DFL


@pytest.mark.usefixtures("interruptible")
def test_a_host_that_handles_signals_itself_is_left_alone() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interrupts.deferred(), interrupts.ignored():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        with pytest.raises(KeyboardInterrupt):
            press()
