"""Places that cannot be used: what the commands say of them, in a line, and what they exit with."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from tests.support import postgres
from tests.support.azure import Container
from tests.support.object_store import SECRET, Bucket, wire_to
from typer.testing import CliRunner, Result

from outhaul.cli import app
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS
from outhaul.storage import location
from outhaul.store_access import S3, Access, AzureStorage

CLOSED = "http://127.0.0.1:9"
LEADS_CSV = "id,email\n1,a@example.com\n2,b@example.com\n"

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run: without settings, beside a file of leads."""
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leads.csv").write_text(LEADS_CSV)
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Run a command that fails; return what it says, which is a line without secrets."""

    def failed(*words: str, access: Access | None = None, **variables: str) -> str:
        done = invoke(*words, access=access, **variables)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        (said,) = done.stderr.strip().splitlines()
        assert said.startswith("error: ")
        assert SECRET not in said
        assert "wrong-secret" not in said
        return said.removeprefix("error: ")

    return failed


def invoke(*words: str, access: Access | None = None, **variables: str) -> Result:
    environment = {**(access.variables() if access else {}), **variables}
    done = CliRunner(env=environment).invoke(app, [*words])
    if isinstance(done.exception, Exception):
        raise done.exception
    return done


def changed(s3: S3, **values: str) -> S3:
    return S3.model_validate(S3.model_dump(s3) | values)


SERVE, WORKER = ("serve", "--port", "0"), ("worker",)
LOAD = ("load", "leads", "leads.csv")
BOTH = pytest.mark.parametrize("command", [SERVE, WORKER], ids=lambda words: words[0])
STATE = ("--database-url", "sqlite:///state.db")


@BOTH
def test_the_first_missing_location_is_named(run: Run, command: tuple[str, ...]) -> None:
    lake = ("--lake-url", "s3://records/lake")
    files = ("--files-url", "s3://records/files")
    assert run(*command) == "--data or --database-url is needed"
    assert run(*command, *lake, *files) == "--data or --database-url is needed"
    assert run(*command, *STATE) == "--data or --lake-url is needed"
    assert run(*command, *STATE, *files) == "--data or --lake-url is needed"
    assert run(*command, *STATE, *lake) == "--data or --files-url is needed"
    assert run(*LOAD, *STATE) == "--data or --lake-url is needed"
    assert run(*LOAD, *lake) == "--data or --database-url is needed"


@BOTH
@pytest.mark.parametrize(
    "wrong", ["http://bucket/lake", "s3:/bucket", "s3://", "s3://a:b@c", "az://"]
)
def test_a_url_that_names_no_bucket(run: Run, command: tuple[str, ...], wrong: str) -> None:
    for option in ("--lake-url", "--files-url"):
        said = run(*command, *STATE, "--data", "data", option, wrong)
        assert said.startswith(f"a setting is not valid: {option}: an address such as s3://bucket")
        assert run(*command, "--data", "data", option, wrong) == said
    assert not Path("data").exists()


def test_a_setting_of_the_environment_is_named_by_its_variable(run: Run) -> None:
    for name, value in (
        ("OUTHAUL_S3_ENDPOINT", "127.0.0.1:9"),
        ("OUTHAUL_PART_THREADS", "many"),
        # A worker has no option for it.
        ("OUTHAUL_PORT", "many"),
        ("OUTHAUL_LIMIT_QUEUED_JOBS", "many"),
        ("OUTHAUL_LIMIT_QUEUED_JOB", "1"),
    ):
        said = run(*WORKER, "--data", "data", **{name: value})
        assert said.startswith(f"a setting is not valid: {name}: ")
    said = run(*WORKER, "--data", "data", OUTHAUL_S3_ACCESS_KEY_ID="me")
    assert "OUTHAUL_S3_ACCESS_KEY_ID and OUTHAUL_S3_SECRET_ACCESS_KEY need each other" in said


@pytest.mark.parametrize("command", [SERVE, WORKER, LOAD], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"secret_access_key": "wrong-secret"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "wrong"}, "InvalidAccessKeyId"),
        ({"endpoint": CLOSED}, "error sending request"),
        ({}, "NoSuchBucket"),
    ],
    ids=["secret", "key", "endpoint", "bucket"],
)
def test_a_bucket_that_cannot_be_used(
    run: Run, bucket: Bucket, command: tuple[str, ...], wrong: dict[str, str], why: str
) -> None:
    s3 = changed(bucket.s3, **wrong)
    url = bucket.url if wrong else "s3://there-is-none/prefix"
    said = run(*command, *STATE, "--data", "data", "--lake-url", url, access=s3)
    assert f"the lake, {url}" in said
    assert "see --lake-url: " in said
    assert why in said
    if command is LOAD:
        more = ("more.csv", *STATE, "--lake-url", url)
        said = run(*LOAD, *more, access=s3)
        assert said.startswith("leads.csv was not loaded completely; files not tried: 1; ")
    else:
        said = run(*command, *STATE, "--data", "data", "--files-url", url, access=s3)
        assert said.startswith(
            f"the location of export files, {url}, cannot be used, see --files-url"
        )
        assert why in said


@pytest.mark.parametrize("command", [SERVE, WORKER, LOAD], ids=lambda words: words[0])
def test_a_container_that_cannot_be_used(
    run: Run, container: Container, command: tuple[str, ...]
) -> None:
    wrong = replace(container, key="d3Jvbmctc2VjcmV0").access
    missing = replace(container, name="there-is-none")
    for url, access, why in (
        (container.url, wrong, "AuthorizationFailure"),
        (missing.url, container.access, "ContainerNotFound"),
        (container.url, AzureStorage(), "Account must be specified"),
    ):
        said = run(*command, *STATE, "--data", "data", "--lake-url", url, access=access)
        assert f"the lake, {url}, cannot be used, see --lake-url: " in said
        assert why in said
        assert "d3Jvbmctc2VjcmV0" not in said
        if command is not LOAD:
            said = run(*command, *STATE, "--data", "data", "--files-url", url, access=access)
            assert f"{url}, cannot be used, see --files-url: " in said
            assert why in said


@pytest.mark.parametrize("command", [SERVE, WORKER, LOAD], ids=lambda words: words[0])
def test_a_lake_where_commits_would_be_lost(
    run: Run, bucket: Bucket, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = bucket.opened()
    bucket.make()
    # A signature would cover the field.
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with wire_to(bucket) as (reached, wire):
        wire.replaces = {b"if-none-match:": b"no-such-field:"}
        said = run(*command, "--data", "data", "--lake-url", reached.url, access=reached.access)
    assert f"the lake, {reached.url}, cannot be used, see --lake-url: {reached.url}" in said
    assert "commits to tables would be lost" in said


@pytest.mark.parametrize("command", [SERVE, WORKER, LOAD], ids=lambda words: words[0])
def test_a_database_that_there_is_not(
    run: Run, postgresql: postgres.Server, command: tuple[str, ...]
) -> None:
    said = run(*command, "--data", "data", "--database-url", postgresql.url("there_is_none"))
    assert said.startswith("cannot open the database there_is_none, see --database-url: ")
    assert said.endswith('database "there_is_none" does not exist')


@pytest.mark.parametrize("command", [SERVE, WORKER, LOAD], ids=lambda words: words[0])
def test_a_file_where_a_folder_should_be(run: Run, command: tuple[str, ...]) -> None:
    for name, called in (("lake", "the lake, "), ("files", "the location of export files, ")):
        Path(f"of-{name}").mkdir()
        Path(f"of-{name}", name).write_text("no folder")
        if command is not LOAD or name == "lake":
            said = run(*command, "--data", f"of-{name}")
            assert f"{called}of-{name}/{name}, cannot be used, see --data: " in said


def test_a_bucket_that_goes_away_amid_a_load(
    any_bucket: Bucket | Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location, "WRITE_PATIENCE", timedelta(milliseconds=50))
    Path("more.csv").write_text("id,email\n2,new@example.com\n60000,c@example.com\n")
    with wire_to(any_bucket) as (reached, wire):
        options = (*STATE, "--lake-url", reached.url)
        assert invoke(*LOAD, *options, access=reached.access).exit_code == 0
        # A little later each time: while tables are read, a file is written, it is committed.
        for times in count():
            wire.cut(after=200 + times * 6_000)
            done = invoke("load", "leads", "more.csv", *options, access=reached.access)
            wire.mend()
            if done.exit_code == 0:
                break
            (said,) = done.stderr.strip().splitlines()
            assert said.startswith("error: more.csv was not loaded completely; load it again: ")
            assert f"the lake, {reached.url}, cannot be used, see --lake-url: " in said
        assert times > 2
    snapshot = Lake(any_bucket.location / "default").snapshot(LEADS)
    assert snapshot is not None
    found = snapshot.scan(snapshot.files).select("id", "email").collect().sort("id").rows()
    assert found == [(1, "a@example.com"), (2, "new@example.com"), (60_000, "c@example.com")]
