from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from outhaul.accounts.services import (
    PERMISSIONS,
    Credentials,
    PermissionUnknownError,
    SubscriptionUnknownError,
    create_service,
    permissions_of,
    secret_hash,
    secret_matches,
)
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, permission, service, subscription

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def create(
    database: Database, *permissions: str, email: str = "etl@example.com", of: str = "default"
) -> Credentials:
    return create_service(
        database,
        "nightly",
        email=email,
        permissions=permissions,
        moment=MOMENT,
        subscription_name=of,
    )


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_service_is_made_with_its_user_and_permissions(database: Database) -> None:
    made = create(database, "Read-Only Lead", "Read-Only Activity")
    with database.read() as connection:
        row = connection.execute(
            sa.select(service, api_user.c.email, api_user.c.subscription).join(
                api_user, api_user.c.id == service.c.api_user
            )
        ).one()
        held = permissions_of(connection, row.api_user)
    assert (row.client_id, row.name, row.created_at) == (made.client_id, "nightly", MOMENT)
    assert (row.email, row.subscription) == ("etl@example.com", "default")
    assert held == {"Read-Only Lead", "Read-Only Activity"}


def test_the_secret_is_kept_as_its_hash_alone(database: Database) -> None:
    made = create(database)
    with database.read() as connection:
        row = connection.execute(sa.select(service)).one()
    assert made.client_secret not in map(str, row)
    assert secret_matches(made.client_secret, row.secret_hash)
    assert not secret_matches(made.client_secret + "x", row.secret_hash)
    assert not secret_matches("", row.secret_hash)
    assert secret_matches("naïve \ud800", secret_hash("naïve \ud800"))


def test_a_second_service_of_a_user_adds_to_what_the_user_may_do(database: Database) -> None:
    first = create(database, "Read-Only Lead")
    second = create(database, "Read-Only Lead", "Read-Only Activity", "Read-Only Activity")
    assert first.client_id != second.client_id
    assert first.client_secret != second.client_secret
    assert (count(database, api_user), count(database, service)) == (1, 2)
    with database.read() as connection:
        user = connection.execute(sa.select(api_user.c.id)).scalar_one()
        assert permissions_of(connection, user) == {"Read-Only Lead", "Read-Only Activity"}


def test_another_user_has_permissions_of_its_own(database: Database) -> None:
    create(database, "Read-Only Lead")
    create(database, "Read-Only Activity", email="other@example.com")
    with database.read() as connection:
        user = sa.select(api_user.c.id).where(api_user.c.email == "other@example.com")
        held = permissions_of(connection, connection.execute(user).scalar_one())
    assert held == {"Read-Only Activity"}


def test_one_email_is_a_user_of_each_subscription(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            subscription.insert().values(name="other", limit_overrides={}, created_at=MOMENT)
        )
    create(database)
    create(database, of="other")
    assert count(database, api_user) == 2


def test_an_unknown_permission_is_refused_and_nothing_is_made(database: Database) -> None:
    with pytest.raises(PermissionUnknownError, match=r"you mean 'Read-Only Lead'.* there are: "):
        create(database, "Read-Only Lead", "Read-Only Leads")
    assert [count(database, table) for table in (api_user, permission, service)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("Read Only Lead", "Read-Only Lead"),
        ("Read-Write Activty", "Read-Write Activity"),
        ("Execute Campaigns", "Execute Campaign"),
        ("Read-Only Persons", "Read-Only Lead"),
    ],
)
def test_the_message_names_permissions_that_are_spelled_alike(
    database: Database, wrong: str, near: str
) -> None:
    with pytest.raises(PermissionUnknownError) as refused:
        create(database, wrong)
    advice = str(refused.value).partition(" there are: ")[0]
    assert wrong in advice
    assert f"did you mean '{near}'" in advice


def test_a_permission_that_is_like_none_has_no_advice(database: Database) -> None:
    with pytest.raises(PermissionUnknownError, match="no permission 'sudo'; there are: Read-Only"):
        create(database, "sudo")


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("read-only lead", "Read-Only Lead"),
        (" Approve  ASSETS ", "Approve Assets"),
        ("Read-Only Person", "Read-Only Lead"),
        ("Read-Write Person", "Read-Write Lead"),
    ],
)
def test_a_permission_may_be_spelled_otherwise(database: Database, given: str, held: str) -> None:
    create(database, given)
    with database.read() as connection:
        user = connection.execute(sa.select(api_user.c.id)).scalar_one()
        assert permissions_of(connection, user) == {held}


# From the original's page "Custom Services", permission list.
PUBLISHED = """
Approve Assets, Execute Campaign, Read-Only Activity, Read-Only Activity Metadata, Read-Only Assets,
Read-Only Campaign, Read-Only Company, Read-Only Custom Object, Read-Only Lead,
Read-Only Named Account, Read-Only Named Account List, Read-Only Opportunity,
Read-Only Sales Person, Read-Write Activity, Read-Write Activity Metadata, Read-Write Assets,
Read-Write Campaign, Read-Write Company, Read-Write Custom Object, Read-Write Lead,
Read-Write Named Account, Read-Write Named Account List, Read-Write Opportunity,
Read-Write Sales Person
"""


def test_the_permissions_of_the_original_are_known() -> None:
    published = {" ".join(name.split()) for name in PUBLISHED.split(",")}
    assert len(published) == 24
    assert published <= set(PERMISSIONS)


def test_an_unknown_subscription_is_refused_and_nothing_is_made(database: Database) -> None:
    with pytest.raises(SubscriptionUnknownError, match="'missing'"):
        create(database, "Read-Only Lead", of="missing")
    assert [count(database, table) for table in (api_user, permission, service)] == [0, 0, 0]


def test_every_permission_can_be_given(database: Database) -> None:
    create(database, *PERMISSIONS)
    assert count(database, permission) == len(PERMISSIONS) == len(set(PERMISSIONS))


def test_services_made_at_once_share_one_user(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: create(database, "Read-Only Lead"), range(6)))
    assert len({credentials.client_id for credentials in made}) == 6
    assert (count(database, api_user), count(database, permission)) == (1, 1)
