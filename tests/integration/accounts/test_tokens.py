import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from outhaul.accounts.services import Credentials, create_service
from outhaul.accounts.tokens import (
    Caller,
    CredentialsInvalidError,
    Token,
    authenticate,
    issue_token,
)
from outhaul.database.engine import Database
from outhaul.database.schema import service, subscription, token
from outhaul.errors import ApiError

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIFE = 3_600


@pytest.fixture
def credentials(database: Database) -> Credentials:
    return create_service(
        database,
        "nightly",
        email="etl@example.com",
        permissions=["Read-Only Lead", "Read-Only Activity"],
        moment=MOMENT,
    )


def issue(
    database: Database, credentials: Credentials, moment: datetime, life: int = LIFE
) -> Token:
    return issue_token(
        database,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        life_seconds=lambda *_: life,
        real=moment,
    )


def code(database: Database, text: str | None, moment: datetime = MOMENT) -> str:
    with pytest.raises(ApiError) as caught:
        authenticate(database, text, moment)
    return caught.value.error.code


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


def test_a_token_has_its_whole_life_and_the_email_of_its_user(
    database: Database, credentials: Credentials
) -> None:
    issued = issue(database, credentials, MOMENT)
    assert (issued.seconds, issued.scope) == (LIFE, "etl@example.com")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{8}", issued.text)


def test_the_same_token_is_given_within_its_life_with_what_is_left(
    database: Database, credentials: Credentials
) -> None:
    first = issue(database, credentials, MOMENT)
    for passed, left in [(0, 3_600), (0.5, 3_599), (1, 3_599), (1_800, 1_800), (3_599, 1)]:
        again = issue(database, credentials, after(passed))
        assert (again.text, again.seconds) == (first.text, left)


@pytest.mark.parametrize("passed", [3_599.5, 3_600, 10_000])
def test_a_new_token_is_given_where_not_a_second_is_left(
    database: Database, credentials: Credentials, passed: float
) -> None:
    first = issue(database, credentials, MOMENT)
    second = issue(database, credentials, after(passed))
    assert second.text != first.text
    assert second.seconds == LIFE
    assert issue(database, credentials, after(passed + 1)).text == second.text


def test_the_old_token_lives_to_its_end_beside_the_new_one(
    database: Database, credentials: Credentials
) -> None:
    first = issue(database, credentials, MOMENT)
    second = issue(database, credentials, after(3_599.5))
    assert authenticate(database, first.text, after(3_599.9)).permissions
    assert authenticate(database, second.text, after(3_599.9)).permissions
    assert code(database, first.text, after(3_600)) == "602"
    assert authenticate(database, second.text, after(3_600)).permissions


def test_a_token_of_one_second_can_be_used(database: Database, credentials: Credentials) -> None:
    issued = issue(database, credentials, MOMENT, life=1)
    assert issued.seconds == 1
    assert authenticate(database, issued.text, after(0.9)).user
    assert code(database, issued.text, after(1)) == "602"


def test_first_calls_at_once_are_given_one_token(
    database: Database, credentials: Credentials
) -> None:
    count = 8
    barrier = Barrier(count)

    def first(n: int) -> str:
        barrier.wait()
        return issue(database, credentials, after(n / 1_000)).text

    with ThreadPoolExecutor(count) as pool:
        texts = set(pool.map(first, range(count)))
    assert len(texts) == 1
    with database.read() as connection:
        assert len(connection.execute(sa.select(token)).all()) == 1


def test_each_service_has_a_token_of_its_own_for_one_user(
    database: Database, credentials: Credentials
) -> None:
    other = create_service(
        database, "other", email="etl@example.com", permissions=[], moment=MOMENT
    )
    texts = [issue(database, held, MOMENT).text for held in (credentials, other)]
    assert texts[0] != texts[1]
    callers = [authenticate(database, text, MOMENT) for text in texts]
    assert callers[0] == callers[1]


def test_wrong_credentials_are_refused_and_issue_nothing(
    database: Database, credentials: Credentials
) -> None:
    other = create_service(database, "other", email="b@example.com", permissions=[], moment=MOMENT)
    for client_id, secret in [
        (credentials.client_id, other.client_secret),
        (credentials.client_id, ""),
        (credentials.client_id, credentials.client_secret + " "),
        (credentials.client_id, "naïve \ud800"),
        (credentials.client_id.upper() + "x", credentials.client_secret),
        ("", ""),
        ("' OR 1=1 --", credentials.client_secret),
    ]:
        with pytest.raises(CredentialsInvalidError):
            issue(database, Credentials(client_id=client_id, client_secret=secret), MOMENT)
    with database.read() as connection:
        assert connection.execute(sa.select(token)).all() == []


def test_a_caller_is_the_user_with_its_subscription_and_permissions(
    database: Database, credentials: Credentials
) -> None:
    with database.write() as connection:
        connection.execute(subscription.update().values(limit_overrides={"list_page": 20}))
        user = connection.execute(sa.select(service.c.api_user)).scalar_one()
    text = issue(database, credentials, MOMENT).text
    assert authenticate(database, text, MOMENT) == Caller(
        subscription="default",
        limit_overrides={"list_page": 20},
        user=user,
        permissions=frozenset({"Read-Only Lead", "Read-Only Activity"}),
    )


def test_a_missing_token_is_600(database: Database) -> None:
    assert code(database, None) == "603"
    assert code(database, "") == "603"


def test_an_unknown_token_is_601_whatever_characters_it_has(
    database: Database, credentials: Credentials
) -> None:
    text = issue(database, credentials, MOMENT).text
    for unknown in [text + "x", text[:-1], text.upper() + "x", " ", "\xff", "\ud800", "\0"]:
        assert code(database, unknown) == "601"


def test_an_expired_token_is_602_from_its_end_on(
    database: Database, credentials: Credentials
) -> None:
    text = issue(database, credentials, MOMENT).text
    assert authenticate(database, text, after(3_599.999)).subscription == "default"
    assert code(database, text, after(3_600)) == "602"
    assert code(database, text, after(10_000_000)) == "602"


def test_one_of_the_allowed_permissions_is_enough(
    database: Database, credentials: Credentials
) -> None:
    caller = authenticate(database, issue(database, credentials, MOMENT).text, MOMENT)
    caller.require(frozenset({"Read-Only Lead"}))
    caller.require(frozenset({"Read-Only Lead", "Read-Write Lead"}))
    for allowed in (frozenset({"Read-Write Lead"}), frozenset[str]()):
        with pytest.raises(ApiError) as caught:
            caller.require(allowed)
        assert caught.value.error.code == "603"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_secret_and_no_token_stands_in_the_database_file(
    database: Database, credentials: Credentials, tmp_path: Path
) -> None:
    issued = [issue(database, credentials, after(n * 10_000)).text for n in range(3)]
    for n, text in enumerate(issued):
        authenticate(database, text, after(n * 10_000))
    # The write-ahead log goes when the last connection is closed: look before, and after.
    while_open = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "outhaul.db-wal" in while_open
    database.close()
    closed = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for kept in (b"".join(while_open.values()), b"".join(closed.values())):
        assert b"etl@example.com" in kept
        assert credentials.client_id.encode() in kept
        for text in (credentials.client_secret, *issued):
            for part in (text, text.replace("-", ""), text.partition(":")[0]):
                assert part.encode() not in kept
                assert part.encode("utf-16-le") not in kept
