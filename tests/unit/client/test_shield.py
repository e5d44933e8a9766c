"""A call in flight is carried through when its caller is interrupted."""

import threading

import pytest
from tests.support.in_process import Client
from tests.support.misbehaving import Endpoint
from tests.support.waiting import PATIENCE

from outhaul.client import shield
from outhaul.client.answers import Reply
from outhaul.client.session import Call
from outhaul.client.shield import shielded

REQUEST = {"fields": ["id"], "filter": {"staticListId": 1}}


class Stopped(BaseException):
    """What a handler of signals raises in the main thread."""


class Signal:
    """A signal that comes while the caller waits for a call that has been sent."""

    def __init__(self) -> None:
        self.sent = threading.Event()
        self.came = threading.Event()
        self.graces: list[float] = []

    def await_it(self) -> None:
        """Called by what is shielded: it ends only after the signal."""
        self.sent.set()
        assert self.came.wait(PATIENCE)


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Signal:
    """Interrupt each wait for a shielded call, once."""
    signal = Signal()

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None:
                assert signal.sent.wait(PATIENCE)
                raise Stopped
            signal.graces.append(timeout)
            signal.came.set()
            return super().wait(PATIENCE)

    monkeypatch.setattr(shield, "Event", Interrupted)
    return signal


def test_result_and_error_are_those_of_the_call() -> None:
    def fail() -> None:
        raise KeyError("k")

    assert shielded(lambda: 7, 1.0) == 7
    with pytest.raises(KeyError, match="k"):
        shielded(fail, 1.0)


def test_an_interrupt_waits_for_the_call(interrupting: Signal) -> None:
    done: list[str] = []

    def call() -> None:
        interrupting.await_it()
        done.append("done")

    with pytest.raises(Stopped):
        shielded(call, 3.0)
    assert (done, interrupting.graces) == (["done"], [3.0])


def test_a_job_whose_creation_was_interrupted_is_cancelled(
    interrupting: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to create comes after the signal, and tells which job to cancel."""
    endpoint = Endpoint()
    with Client(endpoint) as client:
        exchange = client.session._exchange

        def slow(call: Call) -> Reply:
            if call.path.endswith("create.json"):
                interrupting.await_it()
            return exchange(call)

        monkeypatch.setattr(client.session, "_exchange", slow)
        with pytest.raises(Stopped) as caught:
            client.exports.run(REQUEST)
    assert endpoint.states == ["Cancelled"]
    assert caught.value.__notes__ == [f"job {endpoint.jobs[0].id} was cancelled"]
