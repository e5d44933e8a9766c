import re
import time

import pytest
from pydantic import ValidationError

from outhaul.protocol.answers.envelope import (
    NO_ASSETS,
    ActivityPage,
    Assets,
    Failure,
    Found,
    Page,
    Success,
    TokenOnly,
    request_id,
)


def test_a_request_id_is_chance_and_the_milliseconds_in_hexadecimal() -> None:
    before = time.time_ns() // 1_000_000
    text = request_id()
    after = time.time_ns() // 1_000_000
    found = re.fullmatch(r"([0-9a-f]{4})#([0-9a-f]{11})", text)
    assert found is not None
    assert before <= int(found[2], 16) <= after


def test_request_ids_are_of_one_length() -> None:
    """Sizes of answers decide about compression, so they must not vary by chance."""
    assert {len(request_id()) for _ in range(1_000)} == {16}


def test_request_ids_differ() -> None:
    assert len({request_id() for _ in range(100)}) > 1


def test_a_last_page_has_no_token_at_all() -> None:
    body = Page.of("a#1", Found(({"id": 1},))).to_json()
    assert body == b'{"requestId":"a#1","result":[{"id":1}],"success":true}'


def test_a_page_before_the_last_has_its_token() -> None:
    body = Page.of("a#1", Found([1], "t")).to_json()
    assert body == b'{"requestId":"a#1","result":[1],"success":true,"nextPageToken":"t"}'


def test_a_page_of_activities_has_a_token_and_says_whether_more_follows() -> None:
    body = ActivityPage.of("a#1", Found([], "t", more=False)).to_json()
    assert body == (
        b'{"requestId":"a#1","result":[],"success":true,"nextPageToken":"t","moreResult":false}'
    )


def test_a_token_alone_has_no_result() -> None:
    body = TokenOnly.of("a#1", Found((), "t")).to_json()
    assert body == b'{"requestId":"a#1","success":true,"nextPageToken":"t"}'


def test_a_failure_holds_three_things_and_its_code_is_text() -> None:
    body = Failure.of("a#1", "1029", "Job already queued").to_json()
    assert body == (
        b'{"requestId":"a#1","success":false,'
        b'"errors":[{"code":"1029","message":"Job already queued"}]}'
    )


def test_assets_that_are_found_come_with_arrays_that_are_empty() -> None:
    body = Assets.of("a#1", Found([{"id": 1}])).to_json()
    assert body == (
        b'{"success":true,"errors":[],"requestId":"a#1","warnings":[],"result":[{"id":1}]}'
    )


def test_where_no_asset_is_found_there_is_a_warning_and_no_result() -> None:
    body = Assets.of("a#1", Found([])).to_wire()
    assert body == {"success": True, "errors": [], "requestId": "a#1", "warnings": [NO_ASSETS]}
    assert NO_ASSETS == "No assets found for the given search criteria."


def test_half_a_surrogate_pair_is_escaped() -> None:
    assert Failure.of("a#1", "1003", "\ud800").to_json().endswith(b'"message":"\\ud800"}]}')


def test_what_an_endpoint_adds_or_leaves_out_is_no_error() -> None:
    failure = Failure.model_validate(
        {"success": False, "errors": [{"code": 601, "message": "x", "more": 1}], "new": {}}
    )
    assert (failure.request_id, failure.errors[0].code) == ("", "601")
    assert Success[int].model_validate({"success": True}).result == []


@pytest.mark.parametrize("success", [True, None, "false"])
def test_a_success_is_no_failure(success: object) -> None:
    with pytest.raises(ValidationError):
        Failure.model_validate({"success": success, "errors": [{"code": "1", "message": ""}]})
