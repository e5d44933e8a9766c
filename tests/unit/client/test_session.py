import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from outhaul.client import (
    AnswerError,
    Backoff,
    CredentialsError,
    HttpError,
    Patience,
    ProtocolError,
    QueueFullError,
    QuotaExceededError,
    Session,
    UnreachableError,
)
from outhaul.client.errors import AlreadyQueuedError
from outhaul.client.session import Call

Answer = httpx2.Response | Exception


def well(*result: Any, **more: Any) -> httpx2.Response:
    return httpx2.Response(
        200, json={"requestId": "1#1", "success": True, "result": result, **more}
    )


def refused(code: str, message: str = "no") -> httpx2.Response:
    errors = [{"code": code, "message": message}]
    return httpx2.Response(200, json={"requestId": "1#1", "success": False, "errors": errors})


class Endpoint:
    """Answers token calls itself, and other calls with what it was given, in turn."""

    def __init__(self, *answers: Answer, life: int = 3600) -> None:
        self.answers = list(answers)
        self.life = life
        self.token_answers: list[Answer] = []
        self.tokens: list[httpx2.Request] = []
        self.calls: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/identity/oauth/token"):
            self.tokens.append(request)
            if self.token_answers:
                return self._give(self.token_answers)
            token = {"access_token": f"token-{len(self.tokens)}", "expires_in": self.life}
            return httpx2.Response(200, json=token)
        self.calls.append(request)
        return self._give(self.answers)

    @staticmethod
    def _give(answers: list[Answer]) -> httpx2.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def bearers(self) -> list[str]:
        return [call.headers["Authorization"] for call in self.calls]


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


Open = Callable[..., Session]


@pytest.fixture
def session() -> Iterator[Open]:
    opened: list[Session] = []

    def make(endpoint: Endpoint, url: str = "http://host", **more: Any) -> Session:
        transport = httpx2.MockTransport(endpoint)
        patience = Patience(sleep=lambda _seconds: None, **more)
        backoff = Backoff(attempts=6)
        opened.append(
            Session(url, "id", "secret", transport=transport, patience=patience, backoff=backoff)
        )
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://host", "http://host"),
        ("http://host/", "http://host"),
        (" https://host:8750// ", "https://host:8750"),
        ("https://123-ABC-456.mktorest.com/rest", "https://123-ABC-456.mktorest.com"),
        ("https://host/identity/", "https://host"),
        ("https://host/proxy/rest/", "https://host/proxy"),
        ("https://host/restful", "https://host/restful"),
    ],
)
def test_url_may_be_root_rest_or_identity(session: Open, url: str, root: str) -> None:
    endpoint = Endpoint(well())
    client = session(endpoint, url)
    client.call("GET", "/bulk/v1/leads/export.json")
    assert client.url == root
    assert str(endpoint.calls[0].url) == f"{root.lower()}/bulk/v1/leads/export.json"
    assert str(endpoint.tokens[0].url).startswith(f"{root.lower()}/identity/oauth/token?")


@pytest.mark.parametrize("url", ["", "host:8750", "ftp://host", "http://", "http://host/a?b=1"])
def test_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Session(url, "id", "secret")


def test_call_gives_the_envelope(session: Open) -> None:
    endpoint = Endpoint(well({"a": 1}, nextPageToken="x"))
    answer = session(endpoint).call("GET", "/p", {"status": ["Created", "Queued"], "n": 2})
    assert answer["result"] == [{"a": 1}]
    assert answer["nextPageToken"] == "x"
    assert endpoint.calls[0].url.query == b"status=Created&status=Queued&n=2"
    assert endpoint.bearers == ["Bearer token-1"]


def test_token_is_asked_for_with_the_credentials(session: Open) -> None:
    endpoint = Endpoint(well())
    session(endpoint).call("POST", "/p", json={"a": 1})
    assert dict(endpoint.tokens[0].url.params) == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "secret",
    }
    assert json.loads(endpoint.calls[0].content) == {"a": 1}


def test_token_is_kept_until_shortly_before_its_end(session: Open) -> None:
    endpoint, clock = Endpoint(*[well() for _ in range(3)]), Clock()
    client = session(endpoint, clock=clock)
    client.call("GET", "/p")
    clock.seconds += 3539
    client.call("GET", "/p")
    assert endpoint.bearers == ["Bearer token-1"] * 2
    clock.seconds += 1
    client.call("GET", "/p")
    assert endpoint.bearers[-1] == "Bearer token-2"


def test_short_rest_of_a_life_is_used(session: Open) -> None:
    endpoint, clock = Endpoint(well(), well(), life=20), Clock()
    client = session(endpoint, clock=clock)
    client.call("GET", "/p")
    clock.seconds += 17
    client.call("GET", "/p")
    assert len(endpoint.tokens) == 1


@pytest.mark.parametrize("code", ["601", "602"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused_token_is_renewed(session: Open, code: str, method: str) -> None:
    endpoint = Endpoint(refused(code), well())
    session(endpoint).call(method, "/p")
    assert endpoint.bearers == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("code", ["601", "602"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_tokens_that_are_always_refused_are_given_up(session: Open, code: str, method: str) -> None:
    endpoint = Endpoint(*[refused(code)] * 6)
    with pytest.raises(ProtocolError) as caught:
        session(endpoint).call(method, "/p")
    assert caught.value.code == code
    assert (len(endpoint.tokens), endpoint.answers) == (4, [])


def test_wrong_credentials(session: Open) -> None:
    endpoint = Endpoint()
    problem = {"error": "invalid_client", "error_description": "Bad client credentials"}
    endpoint.token_answers = [httpx2.Response(401, json=problem)]
    with pytest.raises(CredentialsError, match=r"refused the client id.*Bad client credentials"):
        session(endpoint).call("GET", "/p")
    assert len(endpoint.tokens) == 1


def test_token_call_is_repeated(session: Open) -> None:
    endpoint = Endpoint(well())
    endpoint.token_answers = [httpx2.Response(503), httpx2.ConnectError("refused")]
    session(endpoint).call("POST", "/p")
    assert len(endpoint.tokens) == 3


def test_token_that_never_comes(session: Open) -> None:
    endpoint = Endpoint()
    endpoint.token_answers = [httpx2.Response(200, json={}) for _ in range(6)]
    with pytest.raises(AnswerError, match="access_token"):
        session(endpoint).call("GET", "/p")
    assert endpoint.token_answers == []


PASSING: list[Callable[[], Answer]] = [
    lambda: httpx2.ConnectError("refused"),
    lambda: httpx2.ReadTimeout("timed out"),
    lambda: httpx2.RemoteProtocolError("cut off"),
    lambda: httpx2.Response(429),
    lambda: httpx2.Response(500),
    lambda: httpx2.Response(502, html="<h1>Bad Gateway</h1>"),
    lambda: httpx2.Response(503, headers={"Retry-After": "7"}),
    *(lambda code=code: refused(code) for code in ("604", "606", "608", "611", "615", "713")),
]


@pytest.mark.parametrize("error", PASSING)
def test_get_waits_out_what_may_pass(session: Open, error: Callable[[], Answer]) -> None:
    endpoint = Endpoint(error(), error(), well({"a": 1}))
    assert session(endpoint).call("GET", "/p")["result"] == [{"a": 1}]


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("refused"),
        httpx2.ConnectTimeout("timed out"),
        httpx2.PoolTimeout("timed out"),
        httpx2.Response(429),
        httpx2.Response(503),
        refused("606"),
        refused("608"),
        refused("615"),
    ],
)
def test_post_is_repeated_where_nothing_was_done(session: Open, error: Answer) -> None:
    endpoint = Endpoint(error, well())
    session(endpoint).call("POST", "/p")
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout("timed out"),
        httpx2.ReadError("reset"),
        httpx2.WriteError("reset"),
        httpx2.RemoteProtocolError("cut off"),
        httpx2.Response(500),
        httpx2.Response(502),
        httpx2.Response(504),
        refused("604"),
        refused("611"),
        refused("713"),
    ],
)
def test_post_is_not_repeated_where_it_may_be_done(session: Open, error: Answer) -> None:
    endpoint = Endpoint(error, well())
    with pytest.raises((UnreachableError, HttpError, ProtocolError)):
        session(endpoint).call("POST", "/p")
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(("first", "repeated"), [(500, True), (503, False)])
def test_refusal_of_a_repeated_call_is_marked(session: Open, first: int, repeated: bool) -> None:
    endpoint = Endpoint(httpx2.Response(first), refused("1029", "Job already queued"))
    with pytest.raises(AlreadyQueuedError) as caught:
        session(endpoint).ask(dict, Call(method="POST", path="/p"))
    assert caught.value.repeated is repeated


@pytest.mark.parametrize(
    "error", [refused("603"), refused("607"), refused("1003"), httpx2.Response(404)]
)
def test_what_does_not_pass_is_not_repeated(session: Open, error: Answer) -> None:
    endpoint = Endpoint(error)
    with pytest.raises((ProtocolError, HttpError)):
        session(endpoint).call("GET", "/p")
    assert len(endpoint.calls) == 1


def test_attempts_come_to_an_end(session: Open) -> None:
    endpoint = Endpoint(*[httpx2.Response(500, text="oh\nno") for _ in range(6)])
    with pytest.raises(HttpError, match=r"HTTP error: 500 oh no$"):
        session(endpoint).call("GET", "/p")
    assert endpoint.answers == []


def test_server_never_met_is_given_up_soon(session: Open) -> None:
    endpoint = Endpoint()
    endpoint.token_answers = [httpx2.ConnectError("refused") for _ in range(6)]
    with pytest.raises(UnreachableError, match=r"cannot be reached: http://host: refused$"):
        session(endpoint).call("GET", "/p")
    assert len(endpoint.tokens) == 3


def test_server_once_met_is_waited_for(session: Open) -> None:
    endpoint = Endpoint(*[httpx2.ConnectError("refused") for _ in range(5)], well())
    session(endpoint).call("GET", "/p")
    assert len(endpoint.calls) == 6


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Export daily quota 500MB exceeded", QuotaExceededError),
        ("Too many jobs in queue", QueueFullError),
        ("Job already queued", AlreadyQueuedError),
        ("Something new", ProtocolError),
    ],
)
def test_three_meanings_of_1029(session: Open, message: str, error: type[ProtocolError]) -> None:
    with pytest.raises(ProtocolError, match=f"1029 {message}$") as caught:
        session(Endpoint(refused("1029", message))).call("POST", "/p")
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.message) == ("1029", message)


def test_envelope_with_an_http_error_is_read(session: Open) -> None:
    body = {"success": False, "errors": [{"code": "414", "message": "URI too long"}]}
    with pytest.raises(ProtocolError, match="414 URI too long"):
        session(Endpoint(httpx2.Response(414, json=body))).call("GET", "/p")


UNREADABLE = [
    "",
    "  ",
    "<html><title>We will be back</title></html>",
    '{"requestId": "r", "succ',
    "null",
    "[]",
    "7",
    "{}",
    '{"requestId": "r", "result": []}',
    '{"success": false}',
    '{"success": null}',
    '{"success": false, "errors": []}',
    '{"success": false, "errors": [null, {}, true, {"code": null}]}',
    '{"success": false, "errors": "down"}',
    "[" * 100_000,
    '{"n": ' + "9" * 5000 + "}",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_asked_for_again(session: Open, text: str) -> None:
    endpoint = Endpoint(httpx2.Response(200, text=text), well({"a": 1}))
    assert session(endpoint).call("GET", "/p")["result"] == [{"a": 1}]
    endpoint = Endpoint(*[httpx2.Response(200, text=text) for _ in range(6)])
    with pytest.raises(AnswerError) as caught:
        session(endpoint).call("GET", "/p")
    assert len(str(caught.value)) < 400
    assert "<" not in str(caught.value)
    assert endpoint.answers == []


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_post_with_an_answer_that_cannot_be_read_may_be_done(session: Open, text: str) -> None:
    with pytest.raises(AnswerError):
        session(Endpoint(httpx2.Response(200, text=text))).call("POST", "/p")


@pytest.mark.parametrize(
    ("errors", "code", "message"),
    [
        ([{"code": "1003"}], "1003", ""),
        ([{"code": 1003, "message": None}], "1003", ""),
        ([{"code": 1003.0, "message": 7}], "1003", "7"),
        ({"code": "1003", "message": "one"}, "1003", "one"),
        (["1003"], "1003", ""),
        ([1003], "1003", ""),
        ("1003", "1003", ""),
        (["1003: no such job"], "1003", "no such job"),
        ([{}, {"code": "1003", "message": "a\n\x1b[31mb"}], "1003", "a [31mb"),
        ([{"code": "E_LIMIT", "message": "text"}], "E_LIMIT", "text"),
    ],
)
def test_errors_keep_their_code_in_any_shape(
    session: Open, errors: object, code: str, message: str
) -> None:
    body = {"requestId": "r", "success": False, "errors": errors}
    with pytest.raises(ProtocolError) as caught:
        session(Endpoint(httpx2.Response(200, json=body))).call("GET", "/p")
    assert (caught.value.code, caught.value.message) == (code, message)


def test_redirect_is_told_without_secrets(session: Open) -> None:
    endpoint = Endpoint()
    location = "https://host/identity/oauth/token?client_secret=secret"
    endpoint.token_answers = [httpx2.Response(301, headers={"Location": location})]
    with pytest.raises(HttpError, match=r"elsewhere: https://host/identity/oauth/token$"):
        session(endpoint).call("GET", "/p")


def test_a_file_that_is_elsewhere_is_fetched_there_without_the_token(session: Open) -> None:
    address = "https://bucket.example.com/file?signature=1"
    endpoint = Endpoint(
        httpx2.Response(307, headers={"Location": address}), httpx2.Response(206, text="d\n")
    )
    with session(endpoint).stream("/file", {"Range": "bytes=1-"}) as response:
        assert response.read() == b"d\n"
    first, second = endpoint.calls
    assert first.headers["Authorization"] == "Bearer token-1"
    assert str(second.url) == address
    assert "Authorization" not in second.headers
    assert second.headers["Range"] == "bytes=1-"


def test_stream_renews_the_token_and_reads_refusals(session: Open) -> None:
    text = httpx2.Response(200, text="id\n1\n", headers={"Content-Type": "text/csv;charset=UTF-8"})
    endpoint = Endpoint(refused("602"), text, refused("603", "Access denied"))
    client = session(endpoint)
    with client.stream("/file", {"Range": "bytes=3-"}) as response:
        assert b"".join(response.iter_bytes()) == b"id\n1\n"
    assert endpoint.bearers == ["Bearer token-1", "Bearer token-2"]
    assert endpoint.calls[1].headers["Range"] == "bytes=3-"
    assert endpoint.calls[1].headers["Accept-Encoding"] == "identity"
    with pytest.raises(ProtocolError, match="603"), client.stream("/file"):
        pass
