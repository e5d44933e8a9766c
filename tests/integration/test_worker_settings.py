"""What `outhaul serve` hands to the worker that it starts: all of its settings."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from tests.support import worker_settings
from tests.support.processes import START_SECONDS
from typer.testing import CliRunner

from outhaul.cli import app
from outhaul.cli import serve as commands
from outhaul.clock import now
from outhaul.declaration import group_of, option_name
from outhaul.limits import Limits
from outhaul.server import service
from outhaul.settings import Settings
from outhaul.store_access import S3, AzureStorage, GoogleStorage

LIMITS: Mapping[str, Any] = {
    "date_range_days": 32,
    "primary_attribute_values": 51,
    "queued_jobs": None,
    "processing_jobs": 3,
    "daily_export_mb": None,
    "file_days": 8,
    "list_days": 9,
    "list_page": 301,
    "status_days": 31,
    "calls_in_20_seconds": 101,
    "calls_at_once": 11,
    "calls_per_day": 50_001,
    "body_bytes": 1_000_001,
    "bulk_body_bytes": 10_000_001,
    "uri_bytes": 8_193,
    "status_seconds": 60,
    "token_seconds": 3_601,
    "query_token": True,
    "gzip_bytes": 1_025,
    "list_id_leads": 10_001,
    "delete_lead_days": 14,
    "frequent_activity_days": 90,
    "activity_months": 25,
    "updated_at_filter": False,
    "delete_lead_type": False,
    "smart_list_filters": False,
    "ecids": True,
    "ssv_delimiter": "semicolon",
}
VALUES: Mapping[str, Any] = {
    "data": Path("a folder/é"),
    "host": "127.0.0.9",
    "port": 8_751,
    "workers": 3,
    "limits": "open",
    "limit_overrides": LIMITS,
    "lease_seconds": 31.5,
    "lake_url": "s3://a-lake/prefix",
    "files_url": "s3://files/prefix",
    "files_redirect": True,
    "database_url": "postgresql://user:a%20password@host/name",
    "executor": "ray",
    "ray_address": "head:6379",
    "s3": S3(
        endpoint="http://127.0.0.1:9",
        region="a-region",
        access_key_id="a key",
        secret_access_key=SecretStr("a secret"),
    ),
    "gs": GoogleStorage(
        endpoint="http://127.0.0.1:8", service_account_file=Path("an account.json")
    ),
    "az": AzureStorage(
        endpoint="http://127.0.0.1:7/account",
        account_name="account",
        account_key=SecretStr("YSBrZXk="),
    ),
    "part_threads": 1_000,
    "part_records": 200_001,
    "poll_seconds": 0.25,
    "listen_seconds": 5.5,
    "idle_seconds": 76.0,
    "head_seconds": 11.0,
    "head_bytes": 65_537,
    "body_seconds": 11.5,
    "body_least_bytes": 5_001,
    "answer_seconds": 301.0,
    "answer_least_bytes": 65_535,
    "discard_seconds": 31.0,
    "discard_bytes": 4_096,
    "janitor_seconds": 601.0,
    "lake_replaced_hours": 169,
}
"""A value for each setting that is not its default. A new setting needs one here."""

SETS = (
    VALUES,
    # Some settings exclude each other.
    {**VALUES, "az": AzureStorage(account_name="account", sas_token=SecretStr("a signature"))},
)

# Values of an environment that the options of `serve` are to win over.
OTHERS = Settings(
    data=Path("other"),
    lake_url="s3://other",
    files_url="s3://other",
    ray_address="other:1",
    limit_overrides={"list_page": 5, "file_days": 5},
    s3=S3(region="other", access_key_id="other", secret_access_key=SecretStr("other")),
)

Start = Callable[[Settings], Settings]


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a worker as `serve` does; give the settings that it finds."""
    file = tmp_path / "settings"
    monkeypatch.setenv(worker_settings.FILE, str(file))
    monkeypatch.setattr(service, "COMMAND", (sys.executable, worker_settings.__file__))

    def started(settings: Settings) -> Settings:
        with service._start(settings) as worker:
            try:
                assert worker.wait(START_SECONDS) == 0
            except subprocess.TimeoutExpired:
                worker.kill()
                raise
        found, arguments = pickle.loads(file.read_bytes())  # noqa: S301 - the worker wrote it
        assert isinstance(found, Settings)
        # Others can read the arguments of a process.
        assert arguments == ["worker", "--with-parent"]
        return found

    return started


MODELS: Sequence[tuple[type[BaseModel], Sequence[Mapping[str, Any]]]] = [
    (Settings, SETS),
    (Limits, [LIMITS]),
    *(
        (group, [dict(values.get(name, ())) for values in SETS])
        for name, field in Settings.model_fields.items()
        if (group := group_of(field))
    ),
]


@pytest.mark.parametrize(
    ("model", "sets"),
    MODELS,
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_every_setting_has_a_value_here_that_is_not_its_default(
    model: type[BaseModel], sets: Sequence[Mapping[str, Any]]
) -> None:
    known = {"data": Path("unused")}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data=known)
        assert any(values.get(name, default) != default for values in sets), name


@pytest.mark.parametrize("values", SETS)
def test_all_that_serve_is_told_is_found_in_its_worker(
    values: Mapping[str, Any], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr(commands, "check_executor", lambda _: None)
    monkeypatch.setattr(commands, "prepare_locations", lambda _: None)
    monkeypatch.setattr(
        commands, "serve_until_stopped", lambda settings, _: served.append(settings)
    )
    words: list[str] = []
    for name in Settings.options():
        words += [option_name(name), *([] if values[name] is True else [str(values[name])])]
    whole = Settings.model_validate(values).variables()
    without_option = {
        name: text
        for name, text in whole.items()
        if name not in map(Settings.variable, Settings.options())
    }
    done = CliRunner(env=OTHERS.variables() | without_option).invoke(app, ["serve", *words])
    assert done.exit_code == 0, done.output
    (settings,) = served
    for name, text in OTHERS.variables().items():
        monkeypatch.setenv(name, text)
    found = start(settings)
    limits = found.limits_of({}, now())
    assert {name: getattr(limits, name) for name in LIMITS} == LIMITS
    for name, value in values.items():
        if name != "limit_overrides":
            assert getattr(found, name) == value, name


def test_a_variable_sets_nothing_in_the_worker_that_serve_has_not_set(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=Path("data"))
    for name, text in Settings.model_validate(VALUES).variables().items():
        monkeypatch.setenv(name, text)
    assert start(settings) == settings
