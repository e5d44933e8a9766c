import os
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from outhaul.cli.options import option, takes
from outhaul.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_found: list[Settings] = []


@pytest.fixture(autouse=True)
def _without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)


@app.command()
@takes("data", "port", "limits", "files_redirect", "database_url", variables=["host"])
def show(
    name: Annotated[str, typer.Argument()], *, own: bool = False, settings: Settings, last: int = 0
) -> None:
    """Show what settings are."""
    assert (name, own, last) == ("a", False, 0)
    _found.append(settings)


def run(*words: str, **variables: str) -> Settings:
    done = CliRunner(env=variables).invoke(app, ["a", *words])
    assert done.exit_code == 0, done.output
    return _found.pop()


def said(*words: str, **variables: str) -> str:
    done = CliRunner(env=variables).invoke(app, ["a", *words])
    assert done.exit_code != 0
    return done.stderr


def parameters() -> dict[str | None, Any]:
    return {each.name: each for each in get_command(app).params}


def test_options_stand_where_the_settings_do_and_the_first_one_first() -> None:
    names = ["name", "own", "port", "limits", "files_redirect", "database_url", "last"]
    assert [name for name in parameters() if name != "help"] == ["data", *names]


def test_an_option_is_what_the_field_declares() -> None:
    found = parameters()
    for name in ("data", "port", "limits", "files_redirect", "database_url"):
        field, made = Settings.model_fields[name], found[name]
        assert made.opts == [f"--{name.replace('_', '-')}"]
        assert made.envvar == f"OUTHAUL_{name.upper()}"
        assert made.help == field.description
    assert [found[name].default for name in ("data", "port", "limits", "files_redirect")] == [
        None,
        8750,
        "marketo",
        False,
    ]


def test_the_help_shows_bounds_choices_and_defaults() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for shown in (
        "--port <int range>",
        "default: 8750; 0<=x<=65535",
        "--limits <marketo|marketo-2026-08|",
        "--database-url URL",
        "default: (`outhaul.db` in the data folder)",
    ):
        assert shown in text
    assert "--no-files-redirect" not in text


def test_without_options_settings_have_their_defaults() -> None:
    assert run("--data", "d") == Settings(data=Path("d"))


def test_options_come_before_their_variables() -> None:
    found = run("--data", "d", "--port", "1", OUTHAUL_PORT="2", OUTHAUL_LIMITS="open")
    assert (found.port, found.limits) == (1, "open")


def test_variables_alone_set_what_has_no_option_and_what_is_named_so() -> None:
    found = run("--data", "d", OUTHAUL_POLL_SECONDS="7", OUTHAUL_HOST="h", OUTHAUL_WORKERS="9")
    assert (found.poll_seconds, found.host, found.workers) == (7, "h", 2)


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        ([], {}, "error: --data or --database-url is needed"),
        (["--files-redirect"], {}, "valid: --files-redirect: needs"),
        (["--port", "65536"], {}, "Invalid value for '--port'"),
        (["--limits", "none"], {}, "'none' is not one of 'marketo', 'marketo-2026-08'"),
        ([], {"OUTHAUL_POLL_SECONDS": "0"}, "valid: OUTHAUL_POLL_SECONDS: Input"),
        (
            [],
            {"OUTHAUL_S3_REGION": "r", "OUTHAUL_S3_ENDPOINT": "x"},
            "valid: OUTHAUL_S3_ENDPOINT: ",
        ),
        ([], {"OUTHAUL_LIMIT_LIST_PAGE": "0"}, "valid: OUTHAUL_LIMIT_LIST_PAGE: "),
    ],
)
def test_a_bad_setting_is_named(words: list[str], variables: dict[str, str], message: str) -> None:
    data = ["--data", "d"] if words or variables else []
    assert message in said(*data, *words, **variables)


def test_a_setting_without_an_option_can_have_none() -> None:
    with pytest.raises(ValueError, match="poll_seconds has no option"):
        option("poll_seconds")


def test_a_command_can_have_a_generated_signature() -> None:
    made = typer.Typer(rich_markup_mode=None, add_completion=False)
    found: list[dict[str, Any]] = []

    def command(**values: Any) -> None:
        found.append(values)

    count = Parameter("count", Parameter.KEYWORD_ONLY, default=1, annotation=int)
    settings = Parameter("settings", Parameter.KEYWORD_ONLY, annotation=Settings)
    command.__signature__ = Signature([count, settings])  # type: ignore[attr-defined]
    made.command("generated", help="A generated command.")(takes("data")(command))
    done = CliRunner().invoke(made, ["--data", "d", "--count", "2"])
    assert done.exit_code == 0, done.output
    assert found == [{"count": 2, "settings": Settings(data=Path("d"))}]
