"""Filters that do not fit: each is refused, and told which parameter it is."""

from typing import Any

import pytest
from tests.support.instance import (
    KINDS,
    STATIC_LIST,
    WINDOW,
    Instance,
    Serve,
    only,
    refusal,
)

START, END = WINDOW["startAt"], WINDOW["endAt"]


def refused(instance: Instance, kind: str, **changes: Any) -> tuple[str, str]:
    return refusal(instance.create(kind, **changes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("window", "code", "parameter"),
    [
        (7, "1001", "filter.createdAt"),
        ("2026-01-01", "1001", "filter.createdAt"),
        ([START, END], "1001", "filter.createdAt"),
        ({}, "1002", "filter.createdAt.startAt"),
        ({"startAt": START}, "1002", "filter.createdAt.endAt"),
        ({"endAt": END}, "1002", "filter.createdAt.startAt"),
        ({"startAt": START, "endAt": ""}, "1002", "filter.createdAt.endAt"),
        ({"startAt": 1_700_000_000, "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": True, "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": START, "endAt": [END]}, "1001", "filter.createdAt.endAt"),
        ({"startAt": START, "endAt": "tomorrow"}, "1001", "filter.createdAt.endAt"),
        ({"startAt": "2026-02-30", "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": "2026-1-1", "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": "2026-01-01T24:00:00Z", "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": "2026-01-01T00:00.5Z", "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": "0001-01-01T00:00+14:00", "endAt": END}, "1001", "filter.createdAt.startAt"),
        ({"startAt": END, "endAt": START}, "1003", "filter.createdAt"),
    ],
)
def test_a_window(shared: Instance, kind: str, window: object, code: str, parameter: str) -> None:
    found, message = refused(shared, kind, filter={"createdAt": window})
    assert found == code
    assert f"'{parameter}'" in message


def test_a_window_that_ends_before_it_starts_says_so(shared: Instance) -> None:
    _, message = refused(shared, "leads", filter={"createdAt": {"startAt": END, "endAt": START}})
    assert "endAt is before startAt" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "code"), [(None, "1002"), ("all", "1001"), (1, "1001"), (True, "1001")]
)
def test_a_filter_that_is_no_object(shared: Instance, kind: str, given: object, code: str) -> None:
    found, message = refused(shared, kind, filter=given)
    assert found == code
    assert "'filter'" in message


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_filter(shared: Instance, kind: str) -> None:
    code, message = refused(shared, kind, filter={"createdAt": WINDOW, "colour": "red"})
    assert code == "1003"
    assert "'filter.colour'" in message
    assert "createdAt" in message


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"createdAt": WINDOW, "updatedAt": WINDOW},
        {"createdAt": WINDOW, "staticListId": STATIC_LIST["id"]},
    ],
)
def test_leads_have_exactly_one_filter(shared: Instance, given: dict[str, Any]) -> None:
    code, message = refused(shared, "leads", filter=given)
    assert code == "1003"
    assert "'filter'" in message
    assert "exactly one" in message
    assert (", ".join(given) or "none") in message


@pytest.mark.parametrize("kind", KINDS)
class TestFilterAsArray:
    """The seeds show an object, and call it an array of objects: both are taken."""

    def test_is_taken(self, shared: Instance, kind: str) -> None:
        assert only(shared.create(kind, filter=[{"createdAt": WINDOW}]))["status"] == "Created"

    @pytest.mark.parametrize(
        ("given", "code", "parameter"),
        [
            ([{"createdAt": WINDOW}, {"createdAt": WINDOW}], "1003", "filter.createdAt"),
            ([{"createdAt": WINDOW}, 7], "1001", "filter[1]"),
            ([None], "1002", "filter[0]"),
            ([[{"createdAt": WINDOW}]], "1001", "filter[0]"),
        ],
    )
    def test_may_hold_each_filter_once(
        self, shared: Instance, kind: str, given: list[Any], code: str, parameter: str
    ) -> None:
        found, message = refused(shared, kind, filter=given)
        assert found == code
        assert f"'{parameter}'" in message

    def test_may_not_be_empty(self, shared: Instance, kind: str) -> None:
        found, message = refused(shared, kind, filter=[])
        assert found == ("1003" if kind == "leads" else "1002")
        assert ("'filter'" if kind == "leads" else "'filter.createdAt'") in message


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("staticListId", 404, "1003"),
        ("staticListId", 2**63 - 1, "1003"),
        ("staticListId", -1, "1003"),
        ("staticListId", 2**63, "1001"),
        ("staticListId", f"{STATIC_LIST['id']}.5", "1001"),
        ("staticListId", "1e3", "1001"),
        ("staticListId", "", "1002"),
        ("staticListId", {}, "1001"),
        ("staticListId", 1.5, "1001"),
        ("staticListId", True, "1001"),
        ("staticListId", [STATIC_LIST["id"]], "1001"),
        ("staticListName", "no such list", "1003"),
        ("staticListName", "\x00", "1003"),
        ("staticListName", 7, "1001"),
        ("staticListName", "", "1002"),
    ],
)
def test_a_static_list(shared: Instance, name: str, value: object, code: str) -> None:
    found, message = refused(shared, "leads", filter={name: value})
    assert found == code
    assert f"'filter.{name}'" in message


@pytest.mark.parametrize(
    ("given", "code", "parameter"),
    [
        (7, "1001", "activityTypeIds"),
        ("13", "1001", "activityTypeIds"),
        ({}, "1001", "activityTypeIds"),
        (["1 3"], "1001", "activityTypeIds[0]"),
        (["13", "x"], "1001", "activityTypeIds[1]"),
        (["13", ""], "1002", "activityTypeIds[1]"),
        ([2.0**60], "1001", "activityTypeIds[0]"),
        ([13, 13.5], "1001", "activityTypeIds[1]"),
        ([13, True], "1001", "activityTypeIds[1]"),
        ([13, None], "1002", "activityTypeIds[1]"),
        ([13, 2**64], "1001", "activityTypeIds[1]"),
        ([13, 99_999], "1003", "activityTypeIds"),
        ([13, -1], "1003", "activityTypeIds"),
    ],
)
def test_activity_types(shared: Instance, given: object, code: str, parameter: str) -> None:
    found, message = refused(
        shared, "activities", filter={"createdAt": WINDOW, "activityTypeIds": given}
    )
    assert found == code
    assert f"'filter.{parameter}'" in message


@pytest.mark.parametrize("types", [[37], [1, 37], ["37"]])
def test_a_limit_has_deleted_leads_fetched_elsewhere(serve: Serve, types: list[int]) -> None:
    code, message = refused(
        serve(delete_lead_type=False),
        "activities",
        filter={"createdAt": WINDOW, "activityTypeIds": types},
    )
    assert code == "1003"
    assert "'filter.activityTypeIds'" in message
    assert "/rest/v1/activities/deletedleads.json" in message


class TestPrimaryAttributeFilters:
    GIVEN = (("primaryAttributeValueIds", [16, 102]), ("primaryAttributeValues", ["a", "b"]))

    @pytest.mark.parametrize(("name", "values"), GIVEN)
    @pytest.mark.parametrize("types", [[13], [22], [13, 22], [104], [24, 25], [2], [25, 24, 25]])
    def test_fit_one_asset_group(
        self, shared: Instance, name: str, values: list[Any], types: list[int]
    ) -> None:
        given = {"createdAt": WINDOW, "activityTypeIds": types, name: values}
        assert only(shared.create("activities", filter=given))["status"] == "Created"

    @pytest.mark.parametrize(("name", "values"), GIVEN)
    @pytest.mark.parametrize("types", [[13, 2], [24, 104], [2, 1], [1], [13, 22, 24]])
    def test_do_not_fit_mixed_asset_groups(
        self, shared: Instance, name: str, values: list[Any], types: list[int]
    ) -> None:
        given = {"createdAt": WINDOW, "activityTypeIds": types, name: values}
        code, message = refused(shared, "activities", filter=given)
        assert code == "1003"
        assert "'filter.activityTypeIds'" in message
        assert name in message
        assert "asset group" in message

    @pytest.mark.parametrize(("name", "values"), GIVEN)
    def test_need_activity_types(self, shared: Instance, name: str, values: list[Any]) -> None:
        code, message = refused(shared, "activities", filter={"createdAt": WINDOW, name: values})
        assert code == "1002"
        assert "'filter.activityTypeIds'" in message

    def test_exclude_each_other(self, shared: Instance) -> None:
        given = {"createdAt": WINDOW, "activityTypeIds": [13], **dict(self.GIVEN)}
        code, message = refused(shared, "activities", filter=given)
        assert code == "1003"
        assert "'filter.primaryAttributeValues'" in message
        assert "primaryAttributeValueIds" in message

    @pytest.mark.parametrize(
        ("name", "values", "code", "parameter"),
        [
            ("primaryAttributeValueIds", 16, "1001", "primaryAttributeValueIds"),
            ("primaryAttributeValueIds", ["16", "a"], "1001", "primaryAttributeValueIds[1]"),
            ("primaryAttributeValueIds", [1, 2.5], "1001", "primaryAttributeValueIds[1]"),
            ("primaryAttributeValues", "name", "1001", "primaryAttributeValues"),
            ("primaryAttributeValues", {}, "1001", "primaryAttributeValues"),
            ("primaryAttributeValues", ["a", 7], "1001", "primaryAttributeValues[1]"),
            ("primaryAttributeValues", ["a", ""], "1002", "primaryAttributeValues[1]"),
        ],
    )
    def test_are_checked(
        self, shared: Instance, name: str, values: object, code: str, parameter: str
    ) -> None:
        given = {"createdAt": WINDOW, "activityTypeIds": [13], name: values}
        found, message = refused(shared, "activities", filter=given)
        assert found == code
        assert f"'filter.{parameter}'" in message
