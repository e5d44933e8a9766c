import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.states import State, parse_state


def test_states_are_spelled_as_clients_match_them() -> None:
    assert [str(state) for state in State] == [
        "Created",
        "Queued",
        "Processing",
        "Cancelled",
        "Completed",
        "Failed",
    ]


def test_three_states_are_the_end() -> None:
    ended = {state for state in State if state.ended}
    assert ended == {State.CANCELLED, State.COMPLETED, State.FAILED}


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_read_in_any_case(state: State) -> None:
    for text in (state.value, state.value.upper(), state.value.lower(), f" {state.value} "):
        assert parse_state(text) is state


@pytest.mark.parametrize("text", ["Canceled", "canceled", "CANCELED", "Cancelled"])
def test_cancelled_is_read_with_one_l_or_two(text: str) -> None:
    assert parse_state(text) is State.CANCELLED


@given(st.text())
def test_any_text_is_a_state_or_a_value_error(text: str) -> None:
    try:
        state = parse_state(text)
    except ValueError:
        return
    assert text.strip().lower().replace("canceled", "cancelled") == state.value.lower()
