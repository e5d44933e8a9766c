import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.support import postgres

from outhaul.database.engine import Database
from outhaul.database.schema import (
    Text,
    export_job,
    export_part,
    export_plan,
    metadata,
    subscription,
)
from outhaul.database.upgrade import upgrade
from outhaul.database.versions import newest_version

# Says that it is ready, and then migrates each database whose URL it is told.
MIGRATE = """
import sys
from outhaul.database.engine import Database

print("ready", flush=True)
for url in sys.stdin:
    database = Database(url.strip())
    try:
        database.migrate()
        print("done", flush=True)
    except Exception as error:
        print(repr(error).replace(chr(10), " "), flush=True)
    database.close()
"""


# A job as revision 0004 has it.
OLD_JOB = """
INSERT INTO export_job
    (id, subscription, api_user, kind, state, request, created_at, plan, attempts)
VALUES (:id, 'default', 1, 'leads', :state, '{}', '2026-01-31', :plan, 1)
"""


COLLATIONS = """
SELECT c.relname AS table, c.relname || '.' || a.attname AS name, l.collname AS collation
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace
"""
"""The collation of each column that holds texts."""


def migrate_to(revision: str, database: Database) -> None:
    """Make the schema of an earlier version."""
    config = configuration()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def run_migrations(database: Database) -> None:
    """Migrate by every step, also a new file of SQLite, which is otherwise made at once."""
    with database.write() as connection:
        upgrade(connection)


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "outhaul.database:migrations")
    return config


def tables_of(database: Database) -> set[str]:
    with database.read() as connection:
        return set(sa.inspect(connection).get_table_names())


@pytest.fixture(params=["sqlite", "postgresql"])
def make_empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Return what makes a database without a schema, and returns its URL."""
    made: list[str] = []
    if request.param == "postgresql":
        server: postgres.Server = request.getfixturevalue("postgresql")

    def make() -> str:
        if request.param == "postgresql":
            made.append(server.create_empty())
        else:
            made.append(f"sqlite:///{tmp_path / f'{len(made)}.db'}")
        return made[-1]

    yield make
    if request.param == "postgresql":
        for url in made:
            server.drop(url)


MakeEmpty = Callable[[], str]


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def test_the_migrated_schema_is_the_metadata(make_empty: MakeEmpty) -> None:
    with opened(make_empty()) as database:
        run_migrations(database)
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_primary_keys_and_names_are_those_of_the_metadata(make_empty: MakeEmpty) -> None:
    # What the comparison above leaves out.
    with opened(make_empty()) as made, made.write() as connection:
        metadata.create_all(connection)
        wanted = described(connection)
    with opened(make_empty()) as database:
        run_migrations(database)
        with database.read() as connection:
            assert described(connection) == wanted


def test_a_new_file_has_what_migrations_make(tmp_path: Path) -> None:
    def content(database: Database) -> Any:
        with database.read() as connection:
            columns = {
                name: {
                    column["name"]: (str(column["type"]), column["nullable"], column["default"])
                    for column in sa.inspect(connection).get_columns(name)
                }
                for name in [*metadata.tables, "alembic_version"]
            }
            rows = {
                name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
                for name, table in metadata.tables.items()
            }
            version = connection.execute(sa.text("SELECT * FROM alembic_version")).scalars().all()
            default = connection.execute(
                sa.select(subscription.c.name, subscription.c.limit_overrides)
            ).all()
            return described(connection), columns, rows, version, default

    with (
        opened(f"sqlite:///{tmp_path / 'new.db'}") as new,
        opened(f"sqlite:///{tmp_path / 'migrated.db'}") as migrated,
    ):
        new.migrate()
        run_migrations(migrated)
        assert content(new) == content(migrated)
        run_migrations(new)
        assert content(new) == content(migrated)


def test_the_newest_version_is_the_one_that_migrations_lead_to() -> None:
    assert newest_version() == ScriptDirectory.from_config(configuration()).get_current_head()


def described(connection: sa.Connection) -> dict[str, Any]:
    inspector = sa.inspect(connection)
    return {
        name: (
            inspector.get_pk_constraint(name),
            sorted(key["name"] or "" for key in inspector.get_foreign_keys(name)),
            sorted(index["name"] or "" for index in inspector.get_indexes(name)),
            sorted(unique["name"] or "" for unique in inspector.get_unique_constraints(name)),
        )
        for name in metadata.tables
    }


def test_the_subscription_default_is_there_and_has_no_overrides(database: Database) -> None:
    with database.read() as connection:
        rows = connection.execute(sa.select(subscription)).all()
    assert [(row.name, row.limit_overrides) for row in rows] == [("default", {})]
    assert rows[0].created_at.tzinfo is not None


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        connection.execute(subscription.update().values(limit_overrides={"list_page": 1}))
    database.migrate()
    with database.read() as connection:
        rows = connection.execute(sa.select(subscription.c.limit_overrides)).scalars().all()
    assert rows == [{"list_page": 1}]


def test_texts_are_in_the_order_of_their_code_points(database: Database) -> None:
    names = ["a", "B", "a-b", "ab", "é", "z", "\N{SNOWMAN}"]
    with database.write() as connection:
        for name in names:
            values = {"limit_overrides": {}, "created_at": datetime.now(UTC)}
            connection.execute(subscription.insert().values(name=name, **values))
    with database.read() as connection:
        found = connection.execute(
            sa.select(subscription.c.name)
            .where(subscription.c.name != "default")
            .order_by(subscription.c.name)
        ).scalars()
        assert list(found) == sorted(names)
        later = sa.select(subscription.c.name).where(subscription.c.name > "a-a")
        found = connection.execute(later).scalars()
        assert set(found) == {name for name in [*names, "default"] if name > "a-a"}


def test_running_jobs_are_planned_again_and_files_stay(make_empty: MakeEmpty) -> None:
    jobs = {"running": "Processing", "done": "Completed"}
    with opened(make_empty()) as database:
        migrate_to("0004", database)
        with database.write() as connection:
            add_user = "INSERT INTO api_user (id, subscription, email, created_at) VALUES "
            connection.execute(sa.text(f"{add_user} (1, 'default', 'a@b.c', '2026-01-31')"))
            for name, state in jobs.items():
                values = {"id": name, "state": state, "plan": json.dumps({"version": 7})}
                connection.execute(sa.text(OLD_JOB), values)
                part = {"job": name, "number": 0, "key": f"{name}/0", "size": 1, "records": 1}
                connection.execute(export_part.insert().values(part))
        database.migrate()
        with database.read() as connection:
            assert connection.execute(sa.select(export_plan)).all() == []
            assert set(connection.execute(sa.select(export_job.c.id)).scalars()) == set(jobs)
            assert connection.execute(sa.select(export_part.c.job)).scalars().all() == ["done"]
            assert "plan" not in {
                column["name"] for column in sa.inspect(connection).get_columns("export_job")
            }


def test_every_text_of_postgresql_is_compared_by_code_points(
    postgresql: postgres.Server,
) -> None:
    # The language of a test server may compare by code points anyway, and then the test above
    # passes without the collation.
    def collations(database: Database) -> dict[str, str]:
        with database.read() as connection:
            found = connection.execute(sa.text(COLLATIONS))
            return {row.name: row.collation for row in found if row.table in metadata.tables}

    texts = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Text)
    }
    expected = dict.fromkeys(texts, "C")
    url = postgresql.create_empty()
    with opened(url) as database:
        with database.write() as connection:
            metadata.create_all(connection)
        assert collations(database) == expected
        with database.write() as connection:
            metadata.drop_all(connection)
        database.migrate()
        assert collations(database) == expected
    postgresql.drop(url)


def test_a_migration_that_breaks_off_leaves_nothing(
    make_empty: MakeEmpty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with opened(make_empty()) as database:
        with monkeypatch.context() as patch:
            patch.setattr(op, "bulk_insert", fail)
            with pytest.raises(RuntimeError, match="power cut"):
                run_migrations(database)
        assert tables_of(database) == set()
        database.migrate()
        assert tables_of(database) == {*metadata.tables, "alembic_version"}


def test_threads_that_migrate_one_database_at_once_all_find_it_migrated(
    make_empty: MakeEmpty,
) -> None:
    count = 6
    barrier = Barrier(count)

    def migrate(url: str) -> set[str]:
        with opened(url) as database:
            barrier.wait()
            database.migrate()
            return tables_of(database)

    with ThreadPoolExecutor(count) as pool:
        for _ in range(5):
            found = list(pool.map(migrate, [make_empty()] * count))
            assert found == [{*metadata.tables, "alembic_version"}] * count


def test_threads_that_migrate_databases_of_their_own_do_not_meet(make_empty: MakeEmpty) -> None:
    # Alembic keeps the migration that it is at work on in module globals.
    count = 6
    barrier = Barrier(count)

    def migrate(url: str) -> set[str]:
        with opened(url) as database:
            barrier.wait()
            database.migrate()
            return tables_of(database)

    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(migrate, [make_empty() for _ in range(count)]))
    assert found == [{*metadata.tables, "alembic_version"}] * count


def test_processes_that_migrate_at_once_all_succeed(make_empty: MakeEmpty) -> None:
    # SQLite refuses the change to its write-ahead log at once, however long one is ready to wait.
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", MIGRATE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(4)
        ]

        def answers() -> list[str]:
            return [process.stdout.readline() for process in processes if process.stdout]

        assert answers() == ["ready\n"] * len(processes)
        for _ in range(20):
            url = make_empty()
            for process in processes:
                assert process.stdin
                process.stdin.write(f"{url}\n")
                process.stdin.flush()
            assert answers() == ["done\n"] * len(processes)
        for process in processes:
            assert process.stdin
            process.stdin.close()
