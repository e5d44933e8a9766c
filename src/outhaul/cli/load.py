"""`outhaul load`: records and catalogs from files."""

import json as json_module
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from outhaul.accounts.clocks import clock_of
from outhaul.accounts.services import DEFAULT_SUBSCRIPTION
from outhaul.catalog.entries import CatalogError, Entries, parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.cli.console import Json, errors, fail, named_errors, print_json, print_message
from outhaul.cli.generated import Makers, group_of, type_parameter
from outhaul.cli.load_set import command as load_set
from outhaul.cli.options import (
    Command,
    parameter,
    takes,
    variable_of,
    with_parameters,
)
from outhaul.cli.store import Subscription, lake_named, open_database
from outhaul.clock import now
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.kind import Records, TypeUnknownError
from outhaul.kinds.leads import LEADS
from outhaul.kinds.loading import Loading
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.kinds.registry import REGISTRY
from outhaul.lake.commits import TableChangedError
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import Lake, location_of_lakes, open_lake
from outhaul.loading.column_types import ColumnTypes, Decision
from outhaul.loading.loads import Loaded, load_file
from outhaul.records.conversions import data_type
from outhaul.records.readers import FileError, Report
from outhaul.settings import LocationMissingError, Settings
from outhaul.smart_lists.stored import store_entries

Paths = Annotated[
    list[Path],
    typer.Argument(
        help="Files: CSV as a live instance exports it (.csv, .tsv, .ssv), "
        "JSON Lines (.jsonl, .ndjson) or Parquet (.parquet), each also compressed (.gz, .zst)."
    ),
]

Load = Callable[[Lake, Catalog, Path, datetime, Report], Loaded]


def _commands() -> Makers:
    return {records.name: partial(_command, records) for records in REGISTRY.all()}


def _help(name: str) -> str:
    return next(records.load_help for records in REGISTRY.all() if records.name == name)


def _command(records: Records) -> Command:
    """Return the command that loads one kind of records."""

    def load(  # noqa: PLR0913 - an argument for each option
        paths: Sequence[Path],
        subscription: str,
        settings: Settings,
        *,
        infer_fields: bool = False,
        type_name: str | None = None,
        json: bool = False,
    ) -> None:
        def load_one(
            lake: Lake, catalog: Catalog, path: Path, moment: datetime, report: Report
        ) -> Loaded:
            loading = _loading(records, catalog, type_name)
            return load_file(loading, lake, catalog, path, moment, report, infer=infer_fields)

        _load(records.plural, paths, settings, load_one, subscription=subscription, as_json=json)

    return takes("data", "database_url", "lake_url")(with_parameters(load, _parameters(records)))


def _parameters(records: Records) -> list[Parameter]:
    """Return the parameters of the command, in the order of its help."""
    found = [parameter("paths", Paths)]
    if records.infer_help is not None:
        infer = typer.Option(
            "--infer-fields", envvar=variable_of("--infer-fields"), help=records.infer_help
        )
        found.append(parameter("infer_fields", Annotated[bool, infer], default=False))
    if records.type_option is not None:
        found.append(type_parameter(records.type_option))
    return [
        *found,
        parameter("subscription", Subscription, DEFAULT_SUBSCRIPTION),
        parameter("settings", Settings),
        parameter("json", Json, default=False),
    ]


def _loading(records: Records, catalog: Catalog, type_name: str | None) -> Loading:
    try:
        return records.loading_of(catalog, type_name)
    except TypeUnknownError as error:
        option = records.type_option
        raise typer.BadParameter(
            str(error), param_hint=None if option is None else option.flag
        ) from None


app = typer.Typer(
    help="Load records and catalogs. A file is loaded whole or not at all, and loading it again "
    "changes nothing.",
    cls=group_of(_commands, _help),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Make Typer treat this as a group."""


app.command("set")(load_set())


@app.command()
@takes("data", "database_url", "lake_url")
def catalog(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="JSON: answers of a live instance (leads/describe.json, activities/types.json), "
            "or outhaul's own file of programs, forms, staticLists, smartLists and others."
        ),
    ],
    *,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load entries of the catalog: lead fields, activity types, programs, forms, static lists.

    Example: `outhaul load catalog describe.json types.json --data ./data`
    """
    read = [(path, _read_catalog(path)) for path in paths]
    differences: dict[Path, list[Decision]] = {}
    with named_errors(LocationMissingError):
        location_of_lakes(settings)
    with open_database(settings, subscription) as database:
        store = Catalog(database, subscription)
        lake = open_lake(settings, subscription, database)
        for path, entries in read:
            try:
                store_entries(store, entries)
            except CatalogError as error:  # the rules of a smart list are not valid
                fail(f"nothing of {path} was loaded: {error}")
            differences[path] = list(_differences(lake, store, entries))
    counts = [
        {
            "path": str(path),
            "leadFields": len(entries.lead_fields),
            "activityTypes": len(entries.activity_types),
            "assets": len(entries.assets),
            **_field_types(differences[path]),
        }
        for path, entries in read
    ]
    if json:
        print_json({"files": counts})
        return
    for path, entries in read:
        print_message(f"{path}: {len(entries)} entries of the catalog")
        _tell(path, differences[path])


def _differences(lake: Lake, catalog: Catalog, entries: Entries) -> Iterator[Decision]:
    """Yield the loaded fields whose type is not the one that the lake has."""
    described: list[tuple[Loading, Collection[str]]] = [
        (LEADS.loading, {entry.name for entry in entries.lead_fields}),
        (PROGRAM_MEMBERS.loading, {entry.name for entry in entries.member_fields}),
    ]
    for declared in entries.custom_object_types:
        loading = CUSTOM_OBJECTS.loading_of(catalog, declared.api_name)
        described.append((loading, declared.fields))
    for loading, names in described:
        if not names:
            continue
        try:
            snapshot = lake.snapshot(loading.table)
        except LakeError:
            continue  # a load of records will tell
        types = ColumnTypes(loading.columns(catalog), loading.table, snapshot, infer=False)
        yield from (found for found in types.differences() if found.field in names)


def _tell(path: Path | None, decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        did = "becomes" if decision.widened else "stays"
        told = f"field {decision.field!r} {did} {data_type(decision.type)}: {decision.reason}"
        print_message(f"{path}: {told}")


def _field_types(decisions: Sequence[Decision]) -> dict[str, Any]:
    """Return the member of a file's JSON that has the decisions; none if there were none."""
    shown = [
        {
            "field": decision.field,
            "type": data_type(decision.type),
            "outcome": "widened" if decision.widened else "kept",
            "reason": decision.reason,
        }
        for decision in decisions
    ]
    return {"fieldTypes": shown} if shown else {}


def _load(  # noqa: PLR0913 - all commands share it
    what: str,
    paths: Sequence[Path],
    settings: Settings,
    load: Load,
    *,
    subscription: str,
    as_json: bool,
) -> None:
    """Load files in order, up to the first file that is not valid."""
    done: list[Loaded] = []
    with named_errors(LocationMissingError):
        location_of_lakes(settings)
    with open_database(settings, subscription) as database, _progress() as progress:
        store = Catalog(database, subscription)
        lake = open_lake(settings, subscription, database)
        for path in paths:
            task = progress.add_task(escape(path.name), total=1.0)
            try:
                moment = clock_of(database, subscription).at(now())
                done.append(load(lake, store, path, moment, _reporter(progress, task)))
            except FileError as error:
                progress.stop()
                _refused(error, done, left=len(paths) - len(done) - 1)
            except (LakeError, TableChangedError) as error:
                progress.stop()
                problem = str(error)
                if isinstance(error, LakeError):
                    problem = f"{lake_named(settings)}: {problem}"
                _broken_off(path, problem, done, left=len(paths) - len(done) - 1)
            progress.update(task, completed=1.0)
    if as_json:
        print_json({"files": [_summary(loaded) for loaded in done]})
        return
    for loaded in done:
        counts = loaded.merged
        did = f"{counts.added} {what} added, {counts.changed} changed"
        skipped = f", {counts.deleted} of deleted leads skipped" if counts.deleted else ""
        skipped += f", {counts.merged} of merged leads skipped" if counts.merged else ""
        print_message(f"{loaded.path}: {did}, {counts.unchanged} unchanged{skipped}")
        if loaded.left_out:
            names = ", ".join(loaded.left_out)
            print_message(f"{loaded.path}: not loaded, as they are fields of leads: {names}")
        for note in loaded.notes:
            print_message(f"{loaded.path}: {note}")
        _tell(loaded.path, loaded.decisions)


def _refused(error: FileError, done: Sequence[Loaded], *, left: int) -> NoReturn:
    fail(f"nothing of {error.path} was loaded{_others(done, left)}:\n{error}")


def _broken_off(path: Path, problem: str, done: Sequence[Loaded], *, left: int) -> NoReturn:
    # Some of it may be loaded: deletions of leads, or all if only the answer to the commit is lost.
    fail(f"{path} was not loaded completely{_others(done, left)}; load it again: {problem}")


def _others(done: Sequence[Loaded], left: int) -> str:
    before = f"; files loaded before it: {len(done)}" if done else ""
    after = f"; files not tried: {left}" if left else ""
    return f"{before}{after}"


def _reporter(progress: Progress, task: Any) -> Report:  # noqa: ANN401 - rich's id of a task
    return lambda share: progress.update(task, completed=share)


def _progress() -> Progress:
    return Progress(
        TextColumn("loading {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=errors,
        disable=not errors.is_terminal,  # it would print empty lines
        transient=True,
    )


def _summary(loaded: Loaded) -> dict[str, Any]:
    counts = loaded.merged
    return {
        "path": str(loaded.path),
        "records": counts.added
        + counts.changed
        + counts.unchanged
        + counts.deleted
        + counts.merged,
        "added": counts.added,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "merged": counts.merged,
        "inferredFields": {name: data_type(of) for name, of in loaded.inferred.items()},
        **({"notes": list(loaded.notes)} if loaded.notes else {}),
        **({"leftOut": list(loaded.left_out)} if loaded.left_out else {}),
        **_field_types(loaded.decisions),
    }


def _read_catalog(path: Path) -> Entries:
    try:
        return parse_catalog(json_module.loads(path.read_text("utf-8")))
    except RecursionError:
        fail(f"nothing of {path} was loaded: nested too deeply")
    except OSError as error:
        fail(f"nothing of {path} was loaded: {error.strerror}")
    except ValueError as error:  # not UTF-8, not JSON, not a catalog
        fail(f"nothing of {path} was loaded: {error}")
