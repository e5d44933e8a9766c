"""`outhaul extract`: what its commands make of their options, kind by kind."""

import os
import re
from collections.abc import Mapping
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outhaul.cli import app
from outhaul.cli.extract import commands
from outhaul.cli.extract.extraction import Order

WINDOW = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T00:00:00Z"}
JANUARY = "2026-01-01/2026-01-31"
ALWAYS = ("--url", "http://127.0.0.1:1", "--client-id", "id", "--client-secret", "s")

Asked = tuple[str, Mapping[str, Any]]
"""The path of a kind, and the request's body."""


@pytest.fixture(autouse=True)
def _without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What the endpoint would be asked for: nothing is, a unit test calls nobody."""
    found: list[Asked] = []

    def extract(order: Order, path: str, filters: Mapping[str, Any]) -> None:
        found.append((path, order.request(filters)))

    monkeypatch.setattr(commands, "extract", extract)
    return found


def run(*words: str, **variables: str) -> Result:
    arguments = ["extract", words[0], *ALWAYS, "--output", "x.csv", *words[1:]]
    return CliRunner(env={"COLUMNS": "200", **variables}).invoke(app, arguments)


@pytest.mark.parametrize(
    ("words", "path", "filters"),
    [
        (("leads", "--fields", "id", "--updated-at", JANUARY), "leads", {"updatedAt": WINDOW}),
        (("leads", "--fields", "id", "--static-list-id", "7"), "leads", {"staticListId": 7}),
        (
            ("leads", "--fields", "id", "--smart-list-name", "A, b"),
            "leads",
            {"smartListName": "A, b"},
        ),
        (
            ("activities", "--created-at", JANUARY, "--activity-type-ids", "1, 12"),
            "activities",
            {"createdAt": WINDOW, "activityTypeIds": [1, 12]},
        ),
        (
            (
                *("activities", "--created-at", JANUARY, "--activity-type-ids", "2"),
                *("--primary-attribute-values", "A, b", "--primary-attribute-values", "c"),
            ),
            "activities",
            {
                "createdAt": WINDOW,
                "activityTypeIds": [2],
                "primaryAttributeValues": ["A, b", "c"],
            },
        ),
        (
            ("program-members", "--program-ids", "4", "--fields", "leadId"),
            "program/members",
            {"programId": 4},
        ),
        (
            ("program-members", "--program-ids", "4,5", "--fields", "leadId", "--not-exhausted"),
            "program/members",
            {"programIds": [4, 5], "isExhausted": False},
        ),
        (
            ("custom-objects", "--type", "boat_c", "--fields", "leadId", "--updated-at", JANUARY),
            "customobjects/boat_c",
            {"updatedAt": WINDOW},
        ),
    ],
)
def test_options_are_the_filters_of_the_request(
    asked: list[Asked], words: tuple[str, ...], path: str, filters: Mapping[str, Any]
) -> None:
    done = run(*words)
    assert done.exit_code == 0, done.output
    ((found, body),) = asked
    assert (found, body["filter"]) == (path, filters)


def test_values_of_a_repeated_option_are_lines_of_its_variable(asked: list[Asked]) -> None:
    variables = {"OUTHAUL_STATUS_NAMES": "Attended, late\nInvited\n", "OUTHAUL_EXHAUSTED": "1"}
    done = run("program-members", "--program-ids", "4", "--fields", "leadId", **variables)
    assert done.exit_code == 0, done.output
    ((_, body),) = asked
    assert body["filter"] == {
        "programId": 4,
        "isExhausted": True,
        "statusNames": ["Attended, late", "Invited"],
    }


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("leads", "fields created-at updated-at static-list-id static-list-name smart-list-id"),
        ("activities", "created-at fields activity-type-ids primary-attribute-value-ids"),
        ("program-members", "program-ids fields exhausted nurture-cadence status-names updated-at"),
        ("custom-objects", "type fields updated-at static-list-id static-list-name"),
    ],
)
def test_the_help_shows_what_is_needed_before_the_fields(kind: str, own: str) -> None:
    shown = re.findall(r"^  --([a-z-]+)", run(kind, "--help").stdout, re.MULTILINE)
    assert shown[4:][: len(own.split())] == own.split()
    assert shown[:4] == ["url", "client-id", "client-secret", "output"]
    assert shown[5:][-9:] == [
        *("format", "header", "export-id", "timeout", "poll-interval", "queue-wait"),
        *("connections", "json", "help"),
    ]


def test_a_kind_with_standard_fields_needs_none(asked: list[Asked]) -> None:
    assert run("activities", "--created-at", JANUARY).exit_code == 0
    ((_, body),) = asked
    assert "fields" not in body


@pytest.mark.parametrize(
    ("words", "variables", "waits"),
    [
        ((), {}, (None, 5.0, 3600.0)),
        (("--timeout", "90", "--poll-interval", "2s", "--queue-wait", "0"), {}, (90.0, 2.0, 0.0)),
        ((), {"OUTHAUL_TIMEOUT": "2h", "OUTHAUL_POLL_INTERVAL": "1m"}, (7200.0, 60.0, 3600.0)),
        ((), {"OUTHAUL_QUEUE_WAIT": "1.5h"}, (None, 5.0, 5400.0)),
    ],
)
def test_durations_become_seconds(
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    variables: dict[str, str],
    waits: tuple[float | None, float, float],
) -> None:
    orders: list[Order] = []
    monkeypatch.setattr(commands, "extract", lambda order, *_: orders.append(order))
    done = run("leads", "--fields", "id", "--static-list-id", "1", *words, **variables)
    assert done.exit_code == 0, done.output
    (order,) = orders
    assert (order.timeout, order.poll_seconds, order.queue_wait) == waits


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("leads", "--created-at", JANUARY), "--fields: leads have no standard set: id,email"),
        (("leads", "--fields", "id,,a", "--created-at", JANUARY), "--fields: a name is empty in"),
        (("leads", "--created-at", "x"), "--created-at: 'x' is not START/END, such as 2026-01-01"),
        (("leads", "--created-at", "2026-02-01/2026-01-01"), "ends before it starts"),
        (
            ("leads", "--created-at", JANUARY, "--static-list-id", "1"),
            "--smart-list-id, --smart-list-name: a job has one of these filters, not 2",
        ),
        (("activities",), "--created-at: activities need a period: 2026-01-01T00:00:00Z/"),
        (
            (
                *("activities", "--created-at", JANUARY),
                *("--primary-attribute-value-ids", "1", "--primary-attribute-values", "a"),
            ),
            "--primary-attribute-value-ids: it excludes --primary-attribute-values",
        ),
        (("program-members", "--fields", "leadId"), "Missing option '--program-ids'"),
        (("program-members", "--program-ids", "1,x"), "is not a list of ids, such as 1,12,13"),
        (("custom-objects", "--updated-at", JANUARY), "Missing option '--type'"),
        (
            ("custom-objects", "--type", "a/b", "--updated-at", JANUARY),
            "--type: 'a/b' is no API name: boat_c",
        ),
        (
            ("leads", "--fields", "id", "--static-list-id", "1", "--timeout", "soon"),
            "'OUTHAUL_TIMEOUT'): 'soon' is no duration, such as 90s, 30m, 2h or 28d",
        ),
        (
            ("leads", "--fields", "id", "--static-list-id", "1", "--poll-interval", "0"),
            "'0' is shorter than 0.05s",
        ),
        (("list-members",), "No such command 'list-members'"),
    ],
)
def test_options_that_do_not_fit(asked: list[Asked], words: tuple[str, ...], problem: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert not asked


@pytest.mark.parametrize(
    "words",
    [
        ("leads",),
        ("activities",),
        ("program-members",),
        ("custom-objects", "--type", "boat_c"),
        ("leads", "--created-at", "x", "--fields", ",", "--header", "x"),
        ("program-members", "--program-ids", "x"),
    ],
)
def test_an_existing_job_needs_no_request(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    taken: list[str | None] = []
    monkeypatch.setattr(
        commands, "extract", lambda order, _path, _filters: taken.append(order.export_id)
    )
    assert run(*words, "--export-id", "ce45a7a1-f19d").exit_code == 0
    done = run(*words, OUTHAUL_EXPORT_ID="ce45a7a1-f19e")
    assert done.exit_code == 0, done.output
    assert taken == ["ce45a7a1-f19d", "ce45a7a1-f19e"]


@pytest.mark.parametrize("export_id", ["", "..", "a/b", "a?b", " ", "--json"])
def test_an_id_that_no_job_has(asked: list[Asked], export_id: str) -> None:
    done = run("activities", "--export-id", export_id)
    assert done.exit_code == 2
    assert "--export-id" in done.stderr
    assert not asked


def test_an_existing_job_needs_its_type_of_records(asked: list[Asked]) -> None:
    done = run("custom-objects", "--export-id", "1")
    assert done.exit_code == 2
    assert "Missing option '--type'" in done.stderr
    assert not asked


@pytest.mark.parametrize(
    ("words", "means"),
    [
        (("--created-at", "2023-01-01/2026-01-01"), {}),
        (("--created-at", "2026-01-01/"), {}),
        (("--created-at", "2026-01-01/2026-01-09", "--window-days", "7"), {"window_days": 7}),
        (("--created-at", "2023-01-01/", "--output", "leads/"), {"output": "leads/"}),
        (("--created-at", JANUARY, "--output", "{start}.csv"), {"output": "{start}.csv"}),
        (("--static-list-id", "7", "--wait"), {"wait": True}),
        (("--created-at", JANUARY, "--daily-quota", "1.5 GB"), {"daily_quota": 1_500_000_000}),
        (("--created-at", JANUARY, "--daily-quota", "none"), {"daily_quota": None}),
    ],
)
def test_long_periods_and_their_options_make_windows(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], means: dict[str, Any]
) -> None:
    found: list[Order] = []
    monkeypatch.setattr(commands, "extract_windows", lambda order, *_: found.append(order))
    done = run("leads", "--fields", "id", *words)
    assert done.exit_code == 0, done.output
    assert {name: getattr(found[0], name) for name in means} == means


def test_a_period_of_31_days_is_one_job_as_ever(asked: list[Asked]) -> None:
    period = "2026-01-01/2026-02-01"
    done = run("leads", "--fields", "id", "--created-at", period, "--order", "newest")
    assert done.exit_code == 0, done.output
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--order", "up"), "--order.*is none of oldest, newest"),
        (("--daily-quota", "many"), "--daily-quota.*is no size"),
        (("--jobs", "0"), "--jobs"),
        (("--window-days", "0"), "--window-days"),
        (("--created-at", "2026-02-01/2026-01-01"), "--created-at.*ends before it starts"),
    ],
)
def test_wrong_values_are_refused_by_the_name_of_their_option(
    words: tuple[str, ...], problem: str
) -> None:
    done = run("leads", "--fields", "id", "--created-at", JANUARY, *words)
    assert done.exit_code == 2
    assert re.search(problem, done.output), done.output
