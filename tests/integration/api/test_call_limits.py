"""The limits on calls: 606, 607 and 615, and that a call holds its place until it is answered."""

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
import sqlalchemy as sa
from tests.support.instance import TOKEN, UNKNOWN_ID, Instance, Serve, base, refusal, result
from tests.support.waiting import PATIENCE

from outhaul.accounts.subscriptions import override_limits
from outhaul.database.schema import usage

RATE = ("606", "Max rate limit '3' exceeded with in '20' secs")
DAY = ("607", "Daily quota reached")
AT_ONCE = ("615", "Concurrent access limit reached")

# What a call may be, with a token: each of these counts.
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", f"{base('leads')}.json", {}),
    ("GET", "/bulk/../bulk/v1/activities/export.json", {}),
    ("POST", f"{base('leads')}/create.json", {"content": "no JSON"}),
    ("GET", f"{base('leads')}/{UNKNOWN_ID}/file.json", {}),
    ("GET", "/rest/v1/stats/usage.json", {}),
    ("GET", "/rest/v1/no/such/call.json", {}),
    ("DELETE", f"{base('leads')}/create.json", {}),
]


class TestRate:
    @pytest.mark.parametrize(("method", "path", "request_"), CALLS)
    def test_every_call_counts_and_is_refused(
        self, serve: Serve, method: str, path: str, request_: dict[str, Any]
    ) -> None:
        instance = serve(calls_in_20_seconds=3)
        for _ in range(3):
            instance.call(method, path, **request_)
        assert refusal(instance.jobs()) == RATE
        assert refusal(instance.call(method, path, **request_)) == RATE

    def test_is_over_after_20_seconds(self, serve: Serve) -> None:
        instance = serve(calls_in_20_seconds=3)
        for _ in range(3):
            instance.jobs()
            instance.clock.advance(seconds=1)
        instance.clock.advance(seconds=16.9)
        assert refusal(instance.jobs()) == RATE
        instance.clock.advance(seconds=0.1)
        assert result(instance.jobs()) == []
        assert refusal(instance.jobs()) == RATE

    def test_counts_all_users_together(self, serve: Serve) -> None:
        instance = serve(calls_in_20_seconds=3)
        for user in ("etl", "writer", "nobody"):
            instance.jobs(user=user)
        assert refusal(instance.jobs(user="leads")) == RATE

    def test_does_not_count_tokens_and_calls_without_one(self, serve: Serve) -> None:
        instance = serve(calls_in_20_seconds=3)
        for _ in range(5):
            instance.ask_token("etl")
            instance.client.get(TOKEN)
            instance.jobs(user=None)
            instance.jobs(headers={"Authorization": "Bearer wrong"})
            instance.get("/no/such/path", user=None)
        assert result(instance.jobs()) == []

    def test_is_a_setting_of_a_subscription(self, serve: Serve) -> None:
        instance = serve(calls_in_20_seconds=1)
        override_limits(instance.database, "default", {"calls_in_20_seconds": 3})
        for _ in range(3):
            assert result(instance.jobs()) == []
        assert refusal(instance.jobs()) == RATE

    def test_is_off_in_the_open_set(self, serve: Serve) -> None:
        instance = serve(limits="open")
        for _ in range(120):
            assert result(instance.jobs()) == []


class TestDay:
    def test_is_used_up_by_calls_that_succeed(self, serve: Serve) -> None:
        instance = serve(calls_per_day=2)
        for _ in range(3):
            assert refusal(instance.status(UNKNOWN_ID))[0] == "1003"
            assert instance.file(UNKNOWN_ID).status_code == 404
            assert refusal(instance.get("/no/such/path"))[0] == "610"
        assert result(instance.jobs()) == []
        assert result(instance.jobs()) == []
        assert refusal(instance.jobs()) == DAY
        assert refusal(instance.get("/no/such/path")) == DAY

    def test_begins_at_midnight_in_chicago(self, serve: Serve) -> None:
        instance = serve(calls_per_day=1)
        instance.clock.moment = datetime(2026, 1, 21, 5, 59, 59, tzinfo=UTC)
        assert result(instance.jobs()) == []
        assert refusal(instance.jobs()) == DAY
        instance.clock.advance(seconds=1)
        assert result(instance.jobs()) == []
        assert refusal(instance.jobs()) == DAY

    def test_goes_on_when_the_server_is_started_again(self, serve: Serve) -> None:
        instance = serve(calls_per_day=2)
        result(instance.jobs())
        result(instance.jobs())
        instance.client.app.state.service.close()  # type: ignore[attr-defined]
        again = Instance(instance.settings, instance.clock, instance.credentials, None)
        with again.running():
            assert refusal(again.jobs()) == DAY

    def test_is_kept_soon_though_nobody_reads_it(self, serve: Serve) -> None:
        instance = serve()
        result(instance.jobs())
        assert instance.client.portal is not None
        for _ in range(100):
            with instance.database.read() as connection:
                found = connection.execute(sa.select(usage.c.calls)).scalars().all()
            if found:
                break
            instance.client.portal.call(anyio.sleep, 0.1)
        assert found == [1]


class TestAtOnce:
    def test_a_download_holds_its_place_until_all_of_it_is_sent(self, serve: Serve) -> None:
        instance = serve(calls_at_once=1)
        job = instance.completed()
        path = f"{base('leads')}/{job['exportId']}/file.json"
        token = instance.token("etl")
        app: Any = instance.client.app
        portal = instance.client.portal
        assert portal is not None
        reading = portal.call(anyio.Event)
        begun = portal.call(anyio.Event)

        async def send(message: dict[str, Any]) -> None:
            if message.get("body"):
                begun.set()
                await reading.wait()  # a client that does not read on

        async def receive() -> dict[str, Any]:
            await anyio.sleep_forever()
            raise AssertionError

        async def fetch() -> None:
            await app(scope, receive, send)

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
            "client": ("127.0.0.1", 50_000),
            "server": ("testserver", 80),
        }
        download = portal.start_task_soon(fetch)
        portal.call(begun.wait)
        assert refusal(instance.jobs()) == AT_ONCE
        assert refusal(instance.get("/no/such/path")) == AT_ONCE
        portal.call(reading.set)
        download.result(timeout=PATIENCE)
        assert len(result(instance.jobs())) == 1

    @pytest.mark.parametrize(("method", "path", "request_"), CALLS)
    def test_every_answer_gives_the_place_back(
        self, serve: Serve, method: str, path: str, request_: dict[str, Any]
    ) -> None:
        instance = serve(calls_at_once=1)
        for _ in range(2):
            instance.call(method, path, **request_)
        assert result(instance.jobs()) == []

    def test_a_refused_call_holds_none(self, serve: Serve) -> None:
        instance = serve(calls_at_once=1, calls_in_20_seconds=3)
        for _ in range(3):
            assert result(instance.jobs()) == []
        for _ in range(3):
            assert refusal(instance.jobs()) == RATE
