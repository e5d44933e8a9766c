from collections.abc import Mapping

import httpx2
import pytest
from tests.support.instance import (
    BODIES,
    JSON,
    KINDS,
    TOKEN,
    UNKNOWN_ID,
    Instance,
    Serve,
    base,
    only,
    refusal,
    result,
)

from outhaul.accounts.subscriptions import override_limits

NO_TOKEN = (
    "603",
    "Access denied: the access token must be in the header, as 'Authorization: Bearer <token>'",
)

CALLS = (
    ("POST", "/create.json"),
    ("POST", f"/{UNKNOWN_ID}/enqueue.json"),
    ("POST", f"/{UNKNOWN_ID}/cancel.json"),
    ("GET", f"/{UNKNOWN_ID}/status.json"),
    ("GET", f"/{UNKNOWN_ID}/file.json"),
    ("GET", ".json"),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(instance: Instance, method: str, **request: Mapping[str, str]) -> httpx2.Response:
    return instance.client.request(method, TOKEN, **request)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("way", ["query", "form", "both", "split"])
def test_a_token_is_issued_however_its_parameters_come(
    shared: Instance, method: str, way: str
) -> None:
    grant = shared.grant("etl")
    some = {"grant_type": grant.pop("grant_type")}
    match way:
        case "query":
            answer = ask(shared, method, params=some | grant)
        case "form":
            answer = ask(shared, method, data=some | grant)
        case "both":
            answer = ask(shared, method, params=some | grant, data=some | grant)
        case _:
            answer = ask(shared, method, params=some, data=grant)
    assert answer.status_code == 200
    assert answer.json() == {
        "access_token": shared.token("etl"),
        "token_type": "bearer",
        "expires_in": 3600,
        "scope": "etl@example.com",
    }
    assert answer.headers["Content-Type"] == JSON
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"client_id": ""},
        {"client_id": "nobody\0"},
        {"client_id": "\N{SNOWMAN}" * 9},
        {"client_secret": "guessed"},
        {"client_secret": ""},
        {"client_secret": "\N{SNOWMAN}\x00"},
    ],
)
def test_wrong_credentials_are_an_oauth_error(
    shared: Instance, method: str, wrong: dict[str, str]
) -> None:
    answer = ask(shared, method, params=shared.grant("etl") | wrong)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "client id or client secret is wrong",
    }
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_service_cannot_use_the_secret_of_another(shared: Instance) -> None:
    other = {"client_secret": shared.grant("writer")["client_secret"]}
    assert ask(shared, "GET", params=shared.grant("etl") | other).status_code == 401


@pytest.mark.parametrize("given", [{}, {"grant_type": "password"}, {"grant_type": ""}])
def test_only_client_credentials_are_granted(shared: Instance, given: dict[str, str]) -> None:
    grant = shared.grant("etl")
    del grant["grant_type"]
    answer = ask(shared, "GET", params=grant | given)
    assert answer.status_code == 400
    assert answer.json()["error"] == "unsupported_grant_type"


def test_asking_again_returns_the_same_token_with_what_is_left(instance: Instance) -> None:
    first = instance.ask_token("etl").json()
    assert first["expires_in"] == 3600
    instance.clock.advance(seconds=100)
    again = instance.ask_token("etl").json()
    assert again == {**first, "expires_in": 3500}
    instance.clock.advance(seconds=3499)
    assert instance.ask_token("etl").json() == {**first, "expires_in": 1}
    instance.clock.advance(seconds=1)
    new = instance.ask_token("etl").json()
    assert new["access_token"] != first["access_token"]
    assert new["expires_in"] == 3600


def test_services_do_not_share_tokens(shared: Instance) -> None:
    assert shared.token("etl") != shared.token("writer")


def test_a_token_lives_as_long_as_the_limit_says(serve: Serve) -> None:
    instance = serve(token_seconds=10)
    answer = instance.ask_token("etl").json()
    assert answer["expires_in"] == 10
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    instance.clock.advance(seconds=9.5)
    assert result(instance.jobs(headers=headers)) == []
    instance.clock.advance(seconds=0.5)
    assert refusal(instance.jobs(headers=headers)) == ("602", "Access token expired")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "path"), CALLS)
class TestEveryBulkCall:
    def test_needs_a_token(self, shared: Instance, kind: str, method: str, path: str) -> None:
        answer = shared.call(method, base(kind) + path, user=None)
        assert refusal(answer) == NO_TOKEN

    @pytest.mark.parametrize("text", ["wrong", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
    def test_refuses_an_unknown_token(
        self, shared: Instance, kind: str, method: str, path: str, text: str
    ) -> None:
        header = f"Bearer {text}".encode("latin-1")
        answer = shared.raw(method, base(kind) + path, headers=[(b"authorization", header)])
        assert refusal(answer) == ("601", "Access token invalid")

    def test_refuses_a_user_without_permission(
        self, shared: Instance, kind: str, method: str, path: str
    ) -> None:
        for user in {"nobody", "leads", "activities"} - {kind}:
            answer = shared.call(method, base(kind) + path, user=user)
            assert refusal(answer) == ("603", "Access denied")


@pytest.mark.parametrize("kind", KINDS)
def test_an_expired_token_is_told_from_a_wrong_one(instance: Instance, kind: str) -> None:
    headers = {"Authorization": f"Bearer {instance.token('etl')}"}
    instance.clock.advance(seconds=3600)
    assert refusal(instance.jobs(kind, headers=headers)) == ("602", "Access token expired")


@pytest.mark.parametrize("kind", KINDS)
def test_either_permission_of_a_kind_is_enough(shared: Instance, kind: str) -> None:
    for user in ("etl", "writer", kind):
        assert only(shared.create(kind, user=user))["status"] == "Created"


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_may_come_in_the_query_if_a_limit_says_so(serve: Serve, kind: str) -> None:
    instance = serve(query_token=True)
    params = {"access_token": instance.token("etl")}
    answer = instance.post(f"{base(kind)}/create.json", user=None, params=params, json=BODIES[kind])
    export_id = only(answer)["exportId"]
    assert only(instance.status(export_id, kind, user=None, params=params))["exportId"] == export_id


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_header_comes_before_the_query(shared: Instance, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {shared.token('etl')}"}
    assert result(shared.jobs(headers=headers, params={"access_token": "wrong"})) is not None


def test_a_header_of_another_scheme_is_no_token(shared: Instance) -> None:
    headers = {"Authorization": "Basic YTpi"}
    assert refusal(shared.jobs(headers=headers)) == NO_TOKEN


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("marketo", False), ("marketo-2026-08", False), ("marketo-2026-12", False), ("open", True)],
)
def test_only_the_set_open_accepts_a_token_in_the_query(
    serve: Serve, name: str, accepted: bool
) -> None:
    instance = serve(limits=name)
    params = {"access_token": instance.token("etl")}
    for headers in ({}, {"Authorization": "Basic YTpi"}):
        answer = instance.call(
            "GET", f"{base('leads')}.json", user=None, params=params, headers=headers
        )
        assert accepted == answer.json()["success"]
        if not accepted:
            assert refusal(answer) == NO_TOKEN
    assert result(instance.jobs()) == []


def test_a_subscription_can_accept_a_token_in_the_query(serve: Serve) -> None:
    instance = serve()
    override_limits(instance.database, "default", {"query_token": True})
    assert result(instance.jobs(user=None, params={"access_token": instance.token("etl")})) == []
