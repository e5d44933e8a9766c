"""Airbyte's source-marketo as its platform runs it, with a catalog, and a state."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.clients import run

NAME = "source_marketo"


class Brought:
    """The messages of a run."""

    def __init__(self, output: bytes) -> None:
        messages = [json.loads(line) for line in output.splitlines()]
        self.states = [entry["state"] for entry in messages if entry["type"] == "STATE"]
        self.warnings = [
            entry["log"]["message"]
            for entry in messages
            if entry["type"] == "LOG" and entry["log"]["level"] in ("WARN", "ERROR", "FATAL")
        ]
        self._records: dict[str, list[dict[str, Any]]] = {}
        for entry in messages:
            if entry["type"] == "RECORD":
                record = entry["record"]
                self._records.setdefault(record["stream"], []).append(record["data"])

    @property
    def state(self) -> list[dict[str, Any]]:
        """The last state of each stream, with which the next run begins."""
        last = {
            entry["stream"]["stream_descriptor"]["name"]: {"type": "STREAM", **entry}
            for entry in self.states
        }
        return list(last.values())

    def cursor(self, stream: str) -> str:
        """Return the moment from which on the next run asks for records of a stream."""
        last = next(
            entry["stream"]["stream_state"]
            for entry in self.state
            if entry["stream"]["stream_descriptor"]["name"] == stream
        )
        (moment,) = last.values()
        return str(moment)

    def records(self, stream: str) -> list[dict[str, Any]]:
        return self._records.get(stream, [])


class Connector:
    """The connector, set up to call a server. `config` is its configuration."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder = folder
        self._config = self._write("config", config)

    def check(self) -> dict[str, Any]:
        """Return what the connector says of the connection. It must be able to use the server."""
        done = run(NAME, "check", "--config", self._config)
        assert done.returncode == 0, done.stdout.decode()
        return self._only(done.stdout, "connectionStatus")

    def refusal(self) -> str:
        """Return why the connector cannot use the server, which ends it."""
        done = run(NAME, "check", "--config", self._config)
        assert done.returncode == 1
        said: list[str] = [line for line in Brought(done.stdout).warnings if line.startswith("4")]
        return said[0]

    def discover(self) -> list[dict[str, Any]]:
        """Return the streams that it finds."""
        done = run(NAME, "discover", "--config", self._config)
        assert done.returncode == 0, done.stderr.decode()
        streams: list[dict[str, Any]] = self._only(done.stdout, "catalog")["streams"]
        return streams

    def read(
        self, streams: Iterable[Mapping[str, Any]], state: list[dict[str, Any]] | None = None
    ) -> Brought:
        """Bring some streams, with the state of an earlier run if any."""
        configured = [
            {
                "stream": stream,
                "sync_mode": stream["supported_sync_modes"][-1],
                "destination_sync_mode": "append",
            }
            for stream in streams
        ]
        catalog = self._write("catalog", {"streams": configured})
        arguments = ["--config", self._config, "--catalog", catalog]
        if state is not None:
            arguments += ["--state", self._write("state", state)]
        done = run(NAME, "read", *arguments)
        assert done.returncode == 0, done.stdout.decode()
        return Brought(done.stdout)

    def _write(self, name: str, content: Any) -> Path:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content), "utf-8")
        return path

    @staticmethod
    def _only(output: bytes, member: str) -> dict[str, Any]:
        (found,) = [
            entry[member] for entry in map(json.loads, output.splitlines()) if member in entry
        ]
        content: dict[str, Any] = found
        return content
