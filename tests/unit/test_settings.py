from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from outhaul.database.engine import Database
from outhaul.limits import LIMIT_SETS, Limits, limit_set
from outhaul.settings import Settings
from outhaul.store_access import S3, AzureStorage, GoogleStorage

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(days=365)])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date_range_days", 31),
        ("primary_attribute_values", 50),
        ("queued_jobs", 10),
        ("processing_jobs", 2),
        ("daily_export_mb", 500),
        ("file_days", 7),
        ("list_days", 7),
        ("list_page", 300),
        ("status_days", 30),
        ("calls_in_20_seconds", 100),
        ("calls_at_once", 10),
        ("calls_per_day", 50_000),
        ("body_bytes", 1_000_000),
        ("bulk_body_bytes", 10_000_000),
        ("uri_bytes", 8_192),
        ("token_seconds", 3_600),
        ("query_token", False),
        ("gzip_bytes", 1_024),
        ("delete_lead_type", True),
        ("status_seconds", None),
        ("delete_lead_days", None),
        ("frequent_activity_days", None),
        ("activity_months", None),
        ("updated_at_filter", True),
        ("ssv_delimiter", "space"),
    ],
)
def test_the_set_marketo_is_the_table_of_the_design(
    name: str, value: object, moment: datetime
) -> None:
    assert getattr(limit_set("marketo", moment), name) == value


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-01-20T12:00:00+00:00", "marketo-2026-08"),
        ("2026-11-28T12:00:00+00:00", "marketo-2026-08"),
        # The day begins at midnight in America/Chicago.
        ("2026-12-30T05:59:59+00:00", "marketo-2026-08"),
        ("2026-12-30T06:00:00+00:00", "marketo-2026-12"),
        ("2031-01-01T00:00:00+00:00", "marketo-2026-12"),
    ],
)
def test_the_set_marketo_is_the_newest_in_force(moment: str, name: str) -> None:
    assert limit_set("marketo", datetime.fromisoformat(moment)) == LIMIT_SETS[name]


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(days=365)])
def test_a_dated_set_is_the_same_on_any_day(moment: datetime) -> None:
    for name, most in (("marketo-2026-08", None), ("marketo-2026-12", 10_000), ("open", None)):
        settings = Settings(data=Path("d"), limits=name)
        assert settings.limits_of({}, moment).list_id_leads == most
        assert settings.limits_of({}, moment) == LIMIT_SETS[name]


def test_the_dated_sets_differ_in_what_was_announced_for_their_dates() -> None:
    first, second = LIMIT_SETS["marketo-2026-08"], LIMIT_SETS["marketo-2026-12"]
    assert second == first.model_copy(update={"list_id_leads": 10_000})
    assert LIMIT_SETS["open"].query_token
    assert not first.query_token


def test_the_set_open_has_no_quotas() -> None:
    limits = Settings(data=Path("d"), limits="open").limits_of({}, NOW)
    assert (limits.queued_jobs, limits.processing_jobs, limits.daily_export_mb) == (None,) * 3
    assert (limits.calls_in_20_seconds, limits.calls_at_once, limits.calls_per_day) == (None,) * 3
    assert limits.list_page == 300


def test_a_subscription_overrides_the_process_which_overrides_the_set() -> None:
    settings = Settings(
        data=Path("d"), limits="open", limit_overrides={"queued_jobs": "5", "list_page": "10"}
    )
    limits = settings.limits_of({"list_page": 20}, NOW)
    assert (limits.queued_jobs, limits.list_page, limits.processing_jobs) == (5, 20, None)


@pytest.mark.parametrize("text", ["none", "None", "NONE"])
def test_a_limit_is_lifted_by_the_word_none(text: str) -> None:
    assert (
        Settings(data=Path("d")).limits_of({"daily_export_mb": text}, NOW).daily_export_mb is None
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {"queue_jobs": 3},
        {"": 3},
        {"queued_jobs": "many"},
        {"queued_jobs": -1},
        {"list_page": "none"},
        {"list_page": 0},
        {"ssv_delimiter": "none"},
        {"ssv_delimiter": "comma"},
        # so far away that a date would leave the calendar
        {"date_range_days": 10**10},
        {"file_days": 10**10},
        {"token_seconds": 10**12},
    ],
)
def test_a_limit_that_is_none_is_refused_when_the_process_starts(
    overrides: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError, match=next(iter(overrides)) or "limit_overrides"):
        Settings(data=Path("d"), limit_overrides=overrides)
    with pytest.raises(ValidationError):
        Settings(data=Path("d")).limits_of(overrides, NOW)


def test_limits_are_read_from_the_environment() -> None:
    environ = {
        "OUTHAUL_LIMIT_QUEUED_JOBS": "none",
        "OUTHAUL_LIMIT_QUERY_TOKEN": "true",
        "OUTHAUL_LIMITS": "open",
        "PATH": "/bin",
    }
    given = Settings.given_by(environ, ["limit_overrides"])
    overrides = {"queued_jobs": "none", "query_token": "true"}
    assert given == {"limit_overrides": overrides}
    limits = Settings(data=Path("d"), limit_overrides=overrides).limits_of({}, NOW)
    assert (limits.queued_jobs, limits.query_token) == (None, True)


@pytest.mark.parametrize("model", [Limits, Settings, S3, GoogleStorage, AzureStorage])
def test_every_setting_is_described(model: type[BaseModel]) -> None:
    missing = [name for name, field in model.model_fields.items() if not field.description]
    assert missing == []


def test_settings_do_not_change_and_know_no_others() -> None:
    settings = Settings(data=Path("d"))
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.limits_of({}, NOW).list_page = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="prot"):
        Settings(data=Path("d"), prot=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["plain", "with space", "a?b#c", "100%41", "é", "a@b:c"])
def test_the_state_is_kept_in_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    database = Database(Settings(data=folder).database_url)
    database.migrate()
    database.close()
    assert (folder / "outhaul.db").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_relative_folder_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=Path("here"))
    settings.lake_folder.parent.mkdir()
    database = Database(settings.database_url)
    database.migrate()
    database.close()
    assert (tmp_path / "here" / "outhaul.db").is_file()
    assert (settings.lake_folder, settings.files_folder) == (Path("here/lake"), Path("here/files"))


def test_storage_services_are_reached_as_the_environment_says() -> None:
    environ = {
        "OUTHAUL_S3_ENDPOINT": "http://127.0.0.1:9000",
        "OUTHAUL_S3_REGION": "",
        "OUTHAUL_S3_ACCESS_KEY_ID": "id",
        "OUTHAUL_S3_SECRET_ACCESS_KEY": "not to be seen",
        "OUTHAUL_GS_SERVICE_ACCOUNT_FILE": "key.json",
        "OUTHAUL_AZ_ACCOUNT_NAME": "account",
        "OUTHAUL_AZ_ACCOUNT_KEY": "bm90IHRvIGJlIHNlZW4=",
        "OUTHAUL_S3": "no setting",
    }
    settings = Settings.model_validate({"data": "d", **Settings.given_by(environ)})
    s3, az = settings.s3, settings.az
    assert (s3.endpoint, s3.region, s3.access_key_id) == ("http://127.0.0.1:9000", None, "id")
    assert (settings.gs.service_account_file, az.account_name) == (Path("key.json"), "account")
    for name in ("s3", "gs", "az"):
        read_back = Settings.given_by(settings.variables(), [name])
        assert read_back == Settings.given_by(environ, [name])
    for shown in (repr(settings), str(settings), settings.model_dump(), settings.model_dump_json()):
        assert "not to be seen" not in str(shown)
        assert "bm90IHRv" not in str(shown)
    empty = Settings.model_validate({"data": "d", **Settings.given_by({})})
    assert (empty.s3, empty.gs, empty.az) == (S3(), GoogleStorage(), AzureStorage())


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint": "127.0.0.1:10000"},
        {"endpoint": "http://127.0.0.1:10000/account?not to be seen"},
        {"endpoint": "http://127.0.0.1:10000/account/container"},
        {"account_name": "An_Account"},
        {"account_name": "account", "account_key": "not to be seen"},
        {"account_key": "bm90IHRvIGJlIHNlZW4="},
        {"sas_token": "not to be seen"},
        {"account_name": "a", "account_key": "bm90IHRvIGJlIHNlZW4=", "sas_token": "not to be seen"},
    ],
)
def test_an_account_that_cannot_be_reached_so_is_refused_without_telling_secrets(
    given: dict[str, str],
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"data": "d", "az": given})
    assert "not to be seen" not in str(refused.value)
    assert "bm90IHRv" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint": "127.0.0.1:9000"},
        {"endpoint": "ftp://127.0.0.1"},
        {"endpoint": "http://id:not to be seen@127.0.0.1"},
        {"access_key_id": "id"},
        {"secret_access_key": "not to be seen"},
        {"access_key_id": "", "secret_access_key": "not to be seen"},
        {"secret": "not to be seen"},
    ],
)
def test_a_bucket_that_cannot_be_reached_so_is_refused_without_telling_secrets(
    given: dict[str, str],
) -> None:
    for model, values in ((S3, given), (Settings, {"data": "d", "s3": given})):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(values)
        assert "not to be seen" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["", "s3://", "s3:///prefix", "http://b", "s3://id:secret@bucket", "s3://b?x=secret"]
)
def test_an_address_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="s3://bucket/prefix") as refused:
        Settings(data=Path("d"), files_url=url)
    assert "secret" not in str(refused.value)


def test_a_redirect_needs_a_bucket() -> None:
    with pytest.raises(ValidationError, match="needs --files-url"):
        Settings(data=Path("d"), files_redirect=True)
    with pytest.raises(ValidationError, match="needs --files-url with a bucket"):
        Settings(data=Path("d"), files_redirect=True, files_url="file:///srv/files")
    assert Settings(data=Path("d"), files_redirect=True, files_url="s3://bucket").files_redirect


def test_addresses_of_stores_are_normalised() -> None:
    settings = Settings(data=Path("d"), lake_url="S3://b/lake/", files_url="file:///srv/a%20b/")
    assert (settings.lake_url, settings.files_url) == ("s3://b/lake", "/srv/a b")


def test_ray_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="--executor ray needs --ray-address"):
        Settings(data=Path("d"), executor="ray")


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "head.example:6379", "[::1]:6379"])
def test_addresses_of_ray_are_a_host_and_a_port(address: str) -> None:
    assert Settings(data=Path("d"), ray_address=address).ray_address == address


@pytest.mark.parametrize("address", ["", "head", ":6379", "ray://head:10001", "head:", "::1:6379"])
def test_other_addresses_of_ray_are_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="ray_address"):
        Settings(data=Path("d"), ray_address=address)
