"""The token call fails, at the beginning and in the middle: it is repeated on its own account."""

from pathlib import Path

import pytest
from tests.support.extracting import NOTHING, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    GONE,
    Close,
    Endpoint,
    Fault,
    Gzipped,
    Html,
    Http,
    Refusal,
    Reset,
    Right,
    Text,
    WithMembers,
    first,
    from_on,
    nth,
)
from tests.support.misbehaving.faults import Answer

ONCE: dict[str, Answer] = {
    "502": Http(502),
    "503": Http(503, "", {"Retry-After": "2"}),
    "500 with JSON": Http(500, '{"error": "server_error"}', {"Content-Type": "application/json"}),
    "429": Http(429),
    "an empty body": Text(""),
    "HTML with status 200": Html(),
    "JSON that ends in the middle": Text('{"access_token": "x'),
    "no token in it": WithMembers(access_token=GONE),
    "a token of null": WithMembers(access_token=None),
    "an empty token": WithMembers(access_token=""),
    "a token with a line break": WithMembers(access_token="a\r\nX-Other: 1"),
    "a reset": Reset(),
    "an end without an answer": Close(),
    "611": Refusal("611", "System error"),
    "606": Refusal("606", "Max rate limit"),
}


def _expire(endpoint: Endpoint) -> None:
    endpoint.expire_tokens()


def _expire_at(call: str, number: int) -> Fault:
    return Fault(call, Right(), times=nth(number), meanwhile=_expire)


SCENARIOS = [
    *(
        Scenario(
            name=f"once at the beginning: {name}",
            faults=[Fault("token", answer)],
            calls={"token": 2, "create": 1},
        )
        for name, answer in ONCE.items()
    ),
    *(
        Scenario(
            name=f"once in the middle: {name}",
            faults=[_expire_at("status", 1), Fault("token", answer, times=nth(2))],
            calls={"token": 3, "create": 1, "cancel": 0},
        )
        for name, answer in ONCE.items()
        if name in ("502", "HTML with status 200", "a reset", "no token in it")
    ),
    *(
        Scenario(
            name=f"expires at {call}",
            faults=[_expire_at(call, 1)],
            calls={"token": 2, "create": 2 if call == "create" else 1, "cancel": 0},
        )
        for call in ("create", "enqueue", "status", "file")
    ),
    Scenario(
        name="expires at three status calls, one after the other",
        faults=[Fault("status", Right(), times=first(3), meanwhile=_expire)],
        calls={"create": 1, "cancel": 0},
    ),
    Scenario(
        name="expires at every status call",
        faults=[Fault("status", Right(), times=ALWAYS, meanwhile=_expire)],
        status=1,
        says=["602 Access token expired"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="an endpoint that issues tokens for no time at all",
        endpoint={"token_seconds": 0},
    ),
    Scenario(
        name="a life that is a text",
        faults=[Fault("token", WithMembers(expires_in="3599"), times=ALWAYS)],
    ),
    Scenario(
        name="no life at all",
        faults=[Fault("token", WithMembers(expires_in=GONE), times=ALWAYS)],
    ),
    Scenario(name="gzip", faults=[Fault("token", Gzipped(), times=ALWAYS)]),
    Scenario(
        name="601 for a token that was just issued, once",
        faults=[Fault("create", Refusal("601", "Access token invalid"))],
        calls={"token": 2, "create": 2},
    ),
    Scenario(
        name="601 for every token",
        faults=[Fault("create", Refusal("601", "Access token invalid"), times=ALWAYS)],
        status=1,
        says=["601 Access token invalid"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="wrong credentials",
        options=["--client-secret", "other"],
        status=1,
        says=["refused the client id or the client secret: Bad client credentials"],
        disk=NOTHING,
        left=[],
        calls={"token": 1, "create": 0},
    ),
    Scenario(
        name="wrong credentials, with status 400",
        faults=[
            Fault(
                "token",
                Http(400, '{"error": "invalid_client"}', {"Content-Type": "application/json"}),
                times=ALWAYS,
            )
        ],
        status=1,
        says=["^error: "],
        disk=NOTHING,
        left=[],
        calls={"token": 1},
    ),
    Scenario(
        name="credentials that are withdrawn in the middle",
        faults=[
            _expire_at("status", 2),
            Fault(
                "token",
                Http(401, '{"error": "invalid_client"}', {"Content-Type": "application/json"}),
                times=from_on(2),
            ),
        ],
        status=1,
        says=["refused the client id or the client secret", "00000001-"],
        disk=NOTHING,
        left=["Processing"],
    ),
    Scenario(
        name="never a token",
        faults=[Fault("token", Http(502), times=ALWAYS)],
        status=1,
        says=["502"],
        disk=NOTHING,
        left=[],
        calls={"create": 0},
    ),
    Scenario(
        name="a redirect, whose address has the secret",
        faults=[
            Fault(
                "token",
                Http(302, "", {"Location": "https://elsewhere/token?client_secret=client-secret"}),
                times=ALWAYS,
            )
        ],
        status=1,
        says=["elsewhere: https://elsewhere/token"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="an error that repeats the secret",
        faults=[Fault("token", Http(500, "client_secret=client-secret"), times=ALWAYS)],
        status=1,
        says=["500"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="not the path of a token endpoint",
        faults=[Fault("token", Http(404, "Not Found"), times=ALWAYS)],
        status=1,
        says=["404"],
        disk=NOTHING,
        left=[],
        calls={"token": 1},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
