import re
import time

from outhaul.protocol.envelope import NO_ASSETS, failure, found_assets, request_id, success


def test_a_request_id_is_chance_and_the_milliseconds_in_hexadecimal() -> None:
    before = time.time_ns() // 1_000_000
    text = request_id()
    after = time.time_ns() // 1_000_000
    found = re.fullmatch(r"([0-9a-f]{1,4})#([0-9a-f]{11})", text)
    assert found is not None
    assert before <= int(found[2], 16) <= after


def test_request_ids_differ() -> None:
    assert len({request_id() for _ in range(100)}) > 1


def test_a_last_page_has_no_token_at_all() -> None:
    assert success("a#1", []) == {"requestId": "a#1", "result": [], "success": True}
    assert success("a#1", ({"id": 1},))["result"] == [{"id": 1}]


def test_a_page_before_the_last_has_its_token() -> None:
    assert success("a#1", [1], next_page_token="t") == {
        "requestId": "a#1",
        "result": [1],
        "success": True,
        "nextPageToken": "t",
    }


def test_a_failure_holds_three_things_and_its_code_is_text() -> None:
    assert failure("a#1", "1029", "Job already queued") == {
        "requestId": "a#1",
        "success": False,
        "errors": [{"code": "1029", "message": "Job already queued"}],
    }


def test_assets_that_are_found_come_with_arrays_that_are_empty() -> None:
    assert found_assets("a#1", [{"id": 1}]) == {
        "success": True,
        "errors": [],
        "requestId": "a#1",
        "warnings": [],
        "result": [{"id": 1}],
    }


def test_where_no_asset_is_found_there_is_a_warning_and_no_result() -> None:
    body = found_assets("a#1", [])
    assert body == {"success": True, "errors": [], "requestId": "a#1", "warnings": [NO_ASSETS]}
    assert NO_ASSETS == "No assets found for the given search criteria."
