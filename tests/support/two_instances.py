"""An instance, and another one into which it is mirrored: both in this process."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.instance import NOW, Clock, Instance
from tests.support.template import NO_LIMITS_ON_CALLS

from outhaul.accounts.services import create_service
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.client import Backoff, Patience, Session
from outhaul.database.engine import Database
from outhaul.kinds.kind import Records
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.loading.loads import load_file
from outhaul.settings import Settings

AREAS = ("Lead", "Activity", "Custom Object", "Assets", "Campaign")
ALL = tuple(f"Read-Only {area}" for area in AREAS)


class Side:
    """The data of an instance, which can be served."""

    def __init__(self, folder: Path, permissions: Iterable[str] = ALL) -> None:
        folder.mkdir()
        self.folder = folder
        self.settings = Settings.model_validate(
            {"data": folder, "limit_overrides": NO_LIMITS_ON_CALLS}
        )
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        self.catalog = Catalog(self.database, "default")
        self.credentials = create_service(
            self.database, "all", email="all@example.com", permissions=[*permissions], moment=NOW
        )

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings, "default", self.database)

    def store(self, *contents: Any) -> None:
        """Load catalog files."""
        for content in contents:
            self.catalog.store(parse_catalog(content))

    def load(
        self, kind: Records, *records: Mapping[str, Any], type_name: str | None = None
    ) -> None:
        path = self.folder / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        loading = kind.loading_of(self.catalog, type_name)
        load_file(loading, self.lake, self.catalog, path, NOW, lambda _: None)

    @contextmanager
    def served(self) -> Iterator[Instance]:
        instance = Instance(self.settings, Clock(), {"etl": self.credentials}, None)
        with instance.running():
            yield instance

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Serve it, and yield a session of the client with it."""
        with self.served() as instance:
            yield Session(
                "http://testserver",
                self.credentials.client_id,
                self.credentials.client_secret,
                transport=instance.client._transport,
                patience=Patience(sleep=lambda _: None),
                backoff=Backoff(attempts=2),
            )


def lead_field(number: int, name: str, data_type: str = "string", **more: Any) -> dict[str, Any]:
    """Return a lead field in the form of `describe.json`."""
    return {
        "id": number,
        "displayName": name.title(),
        "dataType": data_type,
        "rest": {"name": name, "readOnly": False},
        **more,
    }
