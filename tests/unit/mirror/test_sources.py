"""Pages of look-ups are read to their end, whatever the endpoint makes of tokens and offsets."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.looked_up import LookedUp, Params, refused, well

from outhaul.client import AnswerError, CallsSpentError, ProtocolError
from outhaul.mirror import sources

TYPES = "/rest/v1/activities/types.json"
LISTS = "/rest/v1/lists.json"
PROGRAMS = "/rest/asset/v1/programs.json"
TOKEN = "/rest/v1/activities/pagingtoken.json"
ACTIVITIES = "/rest/v1/activities.json"
DELETED = "/rest/v1/activities/deletedleads.json"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def entries(count: int) -> list[dict[str, Any]]:
    return [{"id": 1000 + n, "name": f"n{n}"} for n in range(count)]


def no_assets() -> httpx2.Response:
    warnings = ["No assets found for the given search criteria."]
    body = {"requestId": "1#1", "success": True, "errors": [], "warnings": warnings}
    return httpx2.Response(200, json=body)


class TestOffsets:
    @given(count=st.integers(0, 25), page=st.integers(1, 9))
    def test_pages_of_any_size_give_each_entry_once(self, count: int, page: int) -> None:
        known = entries(count)

        def answer(params: Params) -> httpx2.Response:
            offset = int(params["offset"])
            return well(*known[offset : offset + page])

        endpoint = LookedUp({TYPES: answer})
        assert list(sources.activity_types(endpoint.session())) == known
        assert len(endpoint.calls) <= count + 2

    def test_an_endpoint_that_ignores_the_offset_is_read_once(self) -> None:
        endpoint = LookedUp({TYPES: lambda _: well(*entries(5))})
        assert list(sources.activity_types(endpoint.session())) == entries(5)
        assert len(endpoint.calls) == 2

    def test_past_the_end_of_assets_is_a_warning_and_no_result(self) -> None:
        known = entries(450)

        def answer(params: Params) -> httpx2.Response:
            offset, size = int(params["offset"]), min(int(params["maxReturn"]), 200)
            found = known[offset : offset + size]
            return well(*found) if found else no_assets()

        endpoint = LookedUp({PROGRAMS: answer})
        assert list(sources.assets(endpoint.session(), "programs")) == known
        assert len(endpoint.calls) == 4

    def test_no_assets_at_all(self) -> None:
        endpoint = LookedUp({PROGRAMS: lambda _: no_assets()})
        assert list(sources.assets(endpoint.session(), "programs")) == []

    @given(data=st.data(), count=st.integers(1, 30), page=st.integers(2, 7))
    def test_entries_that_stay_are_all_found_while_others_are_removed(
        self, data: st.DataObject, count: int, page: int
    ) -> None:
        known = entries(count)
        removed: set[int] = set()

        def answer(params: Params) -> httpx2.Response:
            here = [entry for entry in known if entry["id"] not in removed]
            offset = int(params["offset"])
            # While it is read, up to two entries are removed before the next page is.
            if len(removed) < 4:
                removed.update(
                    data.draw(
                        st.lists(st.sampled_from(known).map(lambda e: int(e["id"])), max_size=2)
                    )
                )
            return well(*here[offset : offset + page])

        endpoint = LookedUp({TYPES: answer})
        found = {entry["id"] for entry in sources.activity_types(endpoint.session())}
        assert found >= {entry["id"] for entry in known} - removed

    def test_tokens_are_followed_where_an_endpoint_has_them(self) -> None:
        def answer(params: Params) -> httpx2.Response:
            if params.get("nextPageToken") == "a":
                assert "offset" not in params
                return well({"id": 3})
            return well({"id": 1}, {"id": 2}, nextPageToken="a")

        endpoint = LookedUp({TYPES: answer})
        assert [e["id"] for e in sources.activity_types(endpoint.session())] == [1, 2, 3]


class TestTokens:
    def lists(self, endpoint: LookedUp) -> list[int]:
        return [entry["id"] for entry in sources.static_lists(endpoint.session())]

    @pytest.mark.parametrize("last", [{}, {"nextPageToken": ""}, {"nextPageToken": None}])
    def test_the_last_page_has_no_token(self, last: dict[str, Any]) -> None:
        def answer(params: Params) -> httpx2.Response:
            if "nextPageToken" not in params:
                return well({"id": 1}, nextPageToken="b")
            return well({"id": 2}, **last)

        endpoint = LookedUp({LISTS: answer})
        assert self.lists(endpoint) == [1, 2]
        assert len(endpoint.calls) == 2

    def test_the_same_token_again_ends_it_if_nothing_is_new(self) -> None:
        endpoint = LookedUp({LISTS: lambda _: well({"id": 1}, {"id": 2}, nextPageToken="same")})
        assert self.lists(endpoint) == [1, 2]
        assert len(endpoint.calls) == 2

    def test_the_same_token_again_is_followed_while_pages_differ(self) -> None:
        pages = iter([[{"id": n}] for n in (1, 2, 3)])

        def answer(_: Params) -> httpx2.Response:
            return well(*next(pages, []), nextPageToken="cursor")

        assert self.lists(LookedUp({LISTS: answer})) == [1, 2, 3]

    def test_an_empty_page_is_followed(self) -> None:
        def answer(params: Params) -> httpx2.Response:
            match params.get("nextPageToken"):
                case None:
                    return well(nextPageToken="1")
                case "1":
                    return well({"id": 1}, nextPageToken="2")
            return well({"id": 2})

        assert self.lists(LookedUp({LISTS: answer})) == [1, 2]

    def test_tokens_without_end_end(self) -> None:
        numbers = iter(range(10**6))

        def answer(_: Params) -> httpx2.Response:
            return well({"id": 1}, nextPageToken=str(next(numbers)))

        endpoint = LookedUp({LISTS: answer})
        assert self.lists(endpoint) == [1]
        assert len(endpoint.calls) == 51


def test_describe2_is_asked_where_describe_fails() -> None:
    field = {
        "name": "email",
        "displayName": "Email",
        "dataType": "email",
        "length": 255,
        "updateable": False,
    }
    endpoint = LookedUp({"/rest/v1/leads/describe2.json": lambda _: well({"fields": [field]})})
    assert sources.lead_fields(endpoint.session()) == [
        {
            "displayName": "Email",
            "dataType": "email",
            "length": 255,
            "rest": {"name": "email", "readOnly": True},
        }
    ]


def test_if_both_fail_the_first_error_is_told() -> None:
    endpoint = LookedUp({"/rest/v1/leads/describe.json": lambda _: refused("603", "Access denied")})
    with pytest.raises(ProtocolError, match="603 Access denied"):
        sources.lead_fields(endpoint.session())


def test_spent_calls_are_not_asked_again() -> None:
    endpoint = LookedUp({"/rest/v1/leads/describe.json": lambda _: refused("607", "Daily quota")})
    with pytest.raises(CallsSpentError):
        sources.lead_fields(endpoint.session())
    assert len(endpoint.calls) == 1


class Activities:
    """Pages of activities, one after the other. A page is a list of dates."""

    def __init__(self, *pages: list[str], path: str = DELETED) -> None:
        self.pages = pages
        self.endpoint = LookedUp({TOKEN: self._token, path: self._page})
        self.since: list[str] = []

    def _token(self, params: Params) -> httpx2.Response:
        self.since.append(params["sinceDatetime"])
        return httpx2.Response(200, json={"success": True, "nextPageToken": "0"})

    def _page(self, params: Params) -> httpx2.Response:
        number = int(params["nextPageToken"])
        records = [
            {"id": n, "leadId": n, "activityDate": date, "activityTypeId": 37, "attributes": []}
            for n, date in enumerate(self.pages[number], number * 100)
        ]
        more = number + 1 < len(self.pages)
        return well(*records, nextPageToken=str(number + 1), moreResult=more)


class TestActivities:
    def test_empty_pages_are_followed_while_more_are_announced(self) -> None:
        activities = Activities([], ["2026-01-02T00:00:00Z"], [], [], ["2026-01-03T00:00:00Z"])
        found = list(sources.deleted_leads(activities.endpoint.session(), SINCE))
        assert [record["leadId"] for record in found] == [100, 400]
        assert activities.since == ["2026-01-01T00:00:00Z"]

    def test_both_ends_of_the_period_belong_to_it(self) -> None:
        activities = Activities(
            ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
            ["2026-01-02T00:00:01Z"],
            ["2026-01-02T00:00:02Z"],
        )
        until = datetime(2026, 1, 2, tzinfo=UTC)
        found = list(sources.deleted_leads(activities.endpoint.session(), SINCE, until))
        assert [record["leadId"] for record in found] == [0, 1]
        assert len(activities.endpoint.calls) == 3, "no page is asked for after the period"

    def test_a_deletion_has_the_form_of_an_activity_that_is_loaded(self) -> None:
        record = {
            "id": 102988,
            "leadId": 7,
            "activityDate": "2026-01-26T06:56:35+0000",
            "activityTypeId": 37,
            "primaryAttributeValueId": 7,
            "primaryAttributeValue": "Anna Nowak",
            "attributes": [{"name": "Remove from CRM", "value": "false"}, "rubbish"],
        }
        endpoint = LookedUp(
            {
                TOKEN: lambda _: httpx2.Response(200, json={"success": True, "nextPageToken": "t"}),
                DELETED: lambda _: well(record, nextPageToken="t", moreResult=False),
            }
        )
        assert list(sources.deleted_leads(endpoint.session(), SINCE)) == [
            {
                "marketoGUID": "102988",
                "leadId": 7,
                "activityDate": "2026-01-26T06:56:35Z",
                "activityTypeId": 37,
                "primaryAttributeValueId": 7,
                "primaryAttributeValue": "Anna Nowak",
                "attributes": {"Remove from CRM": "false"},
            }
        ]

    @pytest.mark.parametrize("token", ["t", "", None])
    def test_more_without_a_further_token_is_an_error(self, token: str | None) -> None:
        """Otherwise it would be read for ever, or the rest would be lost without a word."""
        endpoint = LookedUp(
            {
                TOKEN: lambda _: httpx2.Response(200, json={"success": True, "nextPageToken": "t"}),
                DELETED: lambda _: well(
                    {"id": 1, "activityDate": "2026-01-02T00:00:00Z"},
                    nextPageToken=token,
                    moreResult=True,
                ),
            }
        )
        with pytest.raises(AnswerError, match="more records follow"):
            list(sources.deleted_leads(endpoint.session(), SINCE))

    def test_many_fields_are_sent_as_a_form(self) -> None:
        names = [f"customField{n}" for n in range(2_000)]
        seen: list[str] = []

        def answer(params: Params) -> httpx2.Response:
            seen.append(params["fields"])
            return well(nextPageToken="t", moreResult=False)

        endpoint = LookedUp(
            {
                TOKEN: lambda _: httpx2.Response(200, json={"success": True, "nextPageToken": "t"}),
                "/rest/v1/activities/leadchanges.json": answer,
            }
        )
        assert list(sources.lead_changes(endpoint.session(), names, SINCE)) == []
        (request,) = endpoint.requests[1:]
        assert (request.method, seen) == ("POST", [",".join(names)])
        assert len(str(request.url)) < 200
        assert request.url.params["_method"] == "GET"


class TestLeadsById:
    def found(self, ids: Iterator[int] | range, fields: list[str]) -> tuple[list[int], LookedUp]:
        def answer(params: Params) -> httpx2.Response:
            wanted = [int(text) for text in params["filterValues"].split(",")]
            assert len(wanted) <= 300
            return well(*({"id": n} for n in wanted if n % 7))

        endpoint = LookedUp({"/rest/v1/leads.json": answer})
        leads = sources.leads_by_id(endpoint.session(), ids, fields)
        return [lead["id"] for lead in leads], endpoint

    def test_300_leads_are_asked_for_in_a_call(self) -> None:
        found, endpoint = self.found(range(1, 1_001), ["email", "id"])
        assert found == [n for n in range(1, 1_001) if n % 7]
        assert [call["fields"] for _, call in endpoint.calls] == ["id,email"] * 4
        assert {request.method for request in endpoint.requests} == {"GET"}

    def test_what_is_too_long_for_a_uri_is_a_form(self) -> None:
        ids = range(10**9, 10**9 + 600)
        found, endpoint = self.found(ids, [f"f{n}" for n in range(2_000)])
        assert found == [n for n in ids if n % 7]
        assert [request.method for request in endpoint.requests] == ["POST", "POST"]

    def test_no_ids_are_no_call(self) -> None:
        assert self.found(range(0), ["email"])[1].calls == []


class TestFirstActivity:
    def test_it_is_the_earliest_of_the_first_page_that_has_any(self) -> None:
        activities = Activities(
            [], [], ["2026-01-05T00:00:00Z", "2026-01-04T00:00:00Z"], path=ACTIVITIES
        )
        first = sources.first_activity(activities.endpoint.session(), [1, 12], SINCE)
        assert first == datetime(2026, 1, 4, tzinfo=UTC)

    def test_ten_types_are_asked_for_in_a_call(self) -> None:
        asked: list[str] = []

        def answer(params: Params) -> httpx2.Response:
            asked.append(params["activityTypeIds"])
            date = f"2026-01-{30 - len(asked):02}T00:00:00Z"
            return well({"id": 1, "activityDate": date}, nextPageToken="u", moreResult=True)

        endpoint = LookedUp(
            {
                TOKEN: lambda _: httpx2.Response(200, json={"success": True, "nextPageToken": "t"}),
                ACTIVITIES: answer,
            }
        )
        first = sources.first_activity(endpoint.session(), range(1, 26), SINCE)
        assert first == datetime(2026, 1, 27, tzinfo=UTC)
        assert [len(types.split(",")) for types in asked] == [10, 10, 5]

    def test_none_where_there_is_none(self) -> None:
        activities = Activities([], [], path=ACTIVITIES)
        assert sources.first_activity(activities.endpoint.session(), [1], SINCE) is None

    def test_after_many_empty_pages_it_is_not_later_than_asked(self) -> None:
        activities = Activities(*[[]] * 500, path=ACTIVITIES)
        assert sources.first_activity(activities.endpoint.session(), [1], SINCE) == SINCE
        assert len(activities.endpoint.calls) == 51
