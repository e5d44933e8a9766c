"""tap-marketo as people run it: a catalog, a selection, messages on its output, a state."""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from tests.support.clients import run

NAME = "tap_marketo"

# No host of this name is called: `runner.py` in the folder of the client.
ENDPOINT = "https://123-ABC-456.mktorest.com/rest"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What one run brings: some streams, from a moment on, by exports of so many days."""

    name: str
    streams: Sequence[str]
    start: datetime
    days: int = 30


class Brought:
    """The messages of a run; each record fits the schema that its stream began with."""

    def __init__(self, output: bytes) -> None:
        messages = [json.loads(line) for line in output.splitlines()]
        self.states: list[dict[str, Any]] = []
        self._records: dict[str, list[dict[str, Any]]] = {}
        validators: dict[str, Draft4Validator] = {}
        for message in messages:
            if message["type"] == "STATE":
                self.states.append(message["value"])
                continue
            stream = message["stream"]
            if message["type"] == "SCHEMA":
                validators[stream] = Draft4Validator(message["schema"])
                self._records.setdefault(stream, [])
            else:
                assert message["type"] == "RECORD"
                wrong = [
                    error.message for error in validators[stream].iter_errors(message["record"])
                ]
                assert not wrong, (stream, wrong)
                self._records[stream].append(message["record"])

    @property
    def streams(self) -> set[str]:
        return set(self._records)

    @property
    def state(self) -> dict[str, Any]:
        """What the next run is to begin with."""
        return self.states[-1]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return self._records[stream]


class Tap:
    """The tap, set up to call a server."""

    def __init__(self, url: str, client_id: str, client_secret: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._config = {
            "endpoint": ENDPOINT,
            "client_id": client_id,
            "client_secret": client_secret,
            # A run asks for empty windows until the second has passed in which it began. The more
            # often it polls, the more of them it has time for.
            "poll_interval": 0.5,
            "job_timeout": 120,
        }

    def discover(self) -> list[dict[str, Any]]:
        """Return the streams that it finds."""
        config = self._write("discover", "config", {**self._config, "start_date": "2026-01-01"})
        done = self._run("--config", config, "--discover")
        assert done.returncode == 0, done.stderr.decode()
        found: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
        return found

    def sync(
        self,
        found: Iterable[Mapping[str, Any]],
        connection: Connection,
        state: Mapping[str, Any] | None = None,
    ) -> Brought:
        """Bring all fields of a connection's streams, with the state of an earlier run if any."""
        arguments = self._arguments(found, connection)
        if state is not None:
            arguments += ["--state", self._write(connection.name, "state", state)]
        done = self._run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        brought = Brought(done.stdout)
        assert brought.streams == set(connection.streams)
        return brought

    def _arguments(
        self, found: Iterable[Mapping[str, Any]], connection: Connection
    ) -> list[object]:
        config = {
            **self._config,
            "start_date": connection.start.isoformat(),
            "max_export_days": connection.days,
        }
        streams = [_selected(stream, connection.streams) for stream in found]
        return [
            *("--config", self._write(connection.name, "config", config)),
            *("--properties", self._write(connection.name, "catalog", {"streams": streams})),
        ]

    def _write(self, name: str, what: str, content: Mapping[str, Any]) -> Path:
        path = self._folder / f"{name}-{what}.json"
        path.write_text(json.dumps(content), "utf-8")
        return path

    def _run(self, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        return run(NAME, *arguments, TAP_MARKETO_URL=self._url)


def _selected(stream: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return an entry of the catalog, all of it selected if it is among some."""
    entry = deepcopy(dict(stream))
    for about in entry["metadata"]:
        supported = about["metadata"].get("inclusion") != "unsupported"
        about["metadata"]["selected"] = supported and entry["tap_stream_id"] in names
    return entry
