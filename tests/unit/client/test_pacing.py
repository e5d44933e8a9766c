"""Calls stay below the endpoint's limit of calls in 20 seconds."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.in_process import Time
from tests.support.simulated import Simulated

from outhaul.client import OutOfTimeError, Patience
from outhaul.client.calls import Calls
from outhaul.client.pacing import Pacing


@given(
    limit=st.integers(1, 120),
    gaps=st.lists(st.sampled_from([0.0, 0.01, 0.5, 7.0, 30.0]), min_size=1),
)
def test_no_20_seconds_have_more_calls(limit: int, gaps: list[float]) -> None:
    time = Time()
    patience = Patience(clock=time.now, sleep=time.sleep)
    pacing = Pacing(limit)
    calls: list[float] = []
    for gap in gaps * 5:
        time.sleep(gap)
        pacing.admit(patience)
        calls.append(time.now())
    for first, later in zip(calls, calls[limit:], strict=False):
        assert later - first > 20


def test_calls_below_the_limit_do_not_wait() -> None:
    time = Time()
    patience = Patience(clock=time.now, sleep=time.sleep)
    pacing = Pacing(100)
    for _ in range(90):
        pacing.admit(patience)
    assert time.pauses == []
    pacing.limit(None)
    for _ in range(1_000):
        pacing.admit(patience)
    assert time.pauses == []


def test_the_wait_ends_with_the_time() -> None:
    time = Time()
    patience = Patience(5, clock=time.now, sleep=time.sleep)
    pacing = Pacing(1)
    pacing.admit(patience)
    with pytest.raises(OutOfTimeError):
        pacing.admit(patience)


def test_what_tidies_up_does_not_wait_and_counts() -> None:
    time = Time()
    patience = Patience(clock=time.now, sleep=time.sleep)
    pacing = Pacing(10)
    for _ in range(9):
        pacing.admit(patience)
    pacing.admit(patience, waits=False)
    assert time.pauses == []
    pacing.admit(patience)
    assert sum(time.pauses) > 20


def test_a_session_paces_all_its_calls() -> None:
    endpoint = Simulated()
    with endpoint.session(calls_in_20_seconds=10) as session:
        calls = Calls(session, "leads")
        for _ in range(8):  # and one for the token
            list(calls.jobs())
        assert endpoint.passed == 0
        list(calls.within(10).jobs())
        assert endpoint.passed == 0
        list(calls.jobs())
        assert endpoint.passed > 20


def test_threads_share_the_limit() -> None:
    time = Time()
    patience = Patience(clock=time.now, sleep=time.sleep)
    pacing = Pacing(1_000)

    def call() -> None:
        for _ in range(200):
            pacing.admit(patience)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.pauses == []
    for _ in range(100):
        pacing.admit(patience)
    assert time.pauses == []
    pacing.admit(patience)
    assert len(time.pauses) == 1
