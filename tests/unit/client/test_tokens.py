"""The token call: what is retried, what is taken, and what is never shown."""

import json

import httpx2
import pytest

from outhaul.client import AnswerError, Backoff, CredentialsError, HttpError, Patience, Session

SECRET = "Pa55+word/=="
OK = {"requestId": "1", "success": True, "result": []}
TOKEN = {"access_token": "t", "expires_in": 3600}


class Served:
    """An endpoint whose token calls get these answers in turn; other calls are right."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.tokens = 0
        self.calls = 0
        self.notices: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/identity/oauth/token":
            self.calls += 1
            return httpx2.Response(200, json=OK)
        self.tokens += 1
        answer = self.answers.pop(0) if self.answers else httpx2.Response(200, json=TOKEN)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def call(self, times: int = 1) -> None:
        with Session(
            "http://host",
            "id",
            SECRET,
            transport=httpx2.MockTransport(self),
            patience=Patience(sleep=lambda _seconds: None),
            backoff=Backoff(attempts=4),
            notice=self.notices.append,
        ) as session:
            for _ in range(times):
                session.call("POST", "/p", json={})


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ReadError("reset"),
        httpx2.ConnectError("refused"),
        httpx2.Response(500),
        httpx2.Response(429, headers={"Retry-After": "1"}),
        httpx2.Response(200, html="<h1>Maintenance</h1>"),
        httpx2.Response(200, text='{"access_token": "a'),
        httpx2.Response(200, text=""),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"expires_in": 3600}),
        httpx2.Response(200, json={"access_token": None, "expires_in": 3600}),
        httpx2.Response(200, json={"access_token": "", "expires_in": 3600}),
        httpx2.Response(200, json={"access_token": "a\nb", "expires_in": 3600}),
        httpx2.Response(200, json={"access_token": "ä", "expires_in": 3600}),
        httpx2.Response(200, json={"access_token": "a" * 100_000, "expires_in": 3600}),
    ],
)
def test_a_token_call_that_fails_is_repeated(answer: httpx2.Response | Exception) -> None:
    served = Served(answer)
    served.call()
    assert (served.tokens, served.calls) == (2, 1)


@pytest.mark.parametrize(
    ("life", "tokens"),
    [
        (3600, 1),
        (3600.5, 1),
        ("3600", 1),
        (10**30, 1),
        (None, 1),
        ("soon", 1),
        ([], 1),
        (0, 3),
        ("0", 3),
        (-1, 3),
    ],
)
def test_a_life_in_any_notation_is_good_enough(life: object, tokens: int) -> None:
    served = Served(*[httpx2.Response(200, json={**TOKEN, "expires_in": life}) for _ in range(3)])
    served.call(times=3)
    assert (served.tokens, served.calls) == (tokens, 3)


def test_a_life_that_is_missing_is_good_enough() -> None:
    served = Served(httpx2.Response(200, json={"access_token": "t"}))
    served.call(times=3)
    assert served.tokens == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(401, json={"error": "invalid_client"}),
        httpx2.Response(401, html="<h1>Unauthorized</h1>"),
        httpx2.Response(400, json={"error": "invalid_client"}),
        httpx2.Response(403, json={"error": "unauthorized_client"}),
    ],
)
def test_wrong_credentials_are_not_tried_again(answer: httpx2.Response) -> None:
    served = Served(answer)
    with pytest.raises(CredentialsError):
        served.call()
    assert served.tokens == 1


@pytest.mark.parametrize("status", [302, 403, 404])
def test_an_address_that_is_wrong_is_told_at_once(status: int) -> None:
    served = Served(*[httpx2.Response(status) for _ in range(4)])
    with pytest.raises(HttpError):
        served.call()
    assert served.tokens == 1


@pytest.mark.parametrize("status", [302, 403, 404])
def test_an_address_that_has_given_a_token_is_waited_for(status: int) -> None:
    short = httpx2.Response(200, json={**TOKEN, "expires_in": 0})
    served = Served(short, *[httpx2.Response(status) for _ in range(3)])
    served.call(times=2)
    assert served.tokens == 5


@pytest.mark.parametrize("form", [SECRET, "Pa55%2Bword%2F%3D%3D", json.dumps(SECRET)])
@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_a_secret_that_the_server_repeats_is_not_shown(form: str, status: int) -> None:
    served = Served(*[httpx2.Response(status, text=f"bad: client_secret={form}") for _ in range(4)])
    with pytest.raises((AnswerError, HttpError, CredentialsError)) as caught:
        served.call()
    for line in (str(caught.value), *served.notices):
        assert "bad: client_secret=" in line
        assert "Pa55" not in line
