"""`outhaul load`: records and catalogs from files."""

import json as json_module
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from outhaul.accounts.services import DEFAULT_SUBSCRIPTION
from outhaul.catalog.entries import CatalogError, Entries, LeadField, parse_catalog
from outhaul.catalog.objects import MemberField
from outhaul.catalog.store import Catalog
from outhaul.cli.console import Json, errors, fail, named_errors, print_json
from outhaul.cli.options import takes
from outhaul.cli.store import Subscription, lake_named, open_database
from outhaul.clock import now
from outhaul.lake.commits import TableChangedError
from outhaul.lake.conversions import data_type
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import Lake, location_of_lakes, open_lake
from outhaul.loading.loads import (
    Loaded,
    load_activities,
    load_custom_objects,
    load_leads,
    load_list_members,
    load_program_members,
)
from outhaul.loading.readers import FileError, Report
from outhaul.settings import LocationMissingError, Settings
from outhaul.smart_lists.stored import store_entries

app = typer.Typer(
    help="Load records and catalogs. A file is loaded whole or not at all, and loading it again "
    "changes nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Paths = Annotated[
    list[Path],
    typer.Argument(
        help="Files: CSV as a live instance exports it (.csv, .tsv, .ssv), "
        "JSON Lines (.jsonl, .ndjson) or Parquet (.parquet)."
    ),
]

Load = Callable[[Lake, Catalog, Path, Report], Loaded]


@app.command()
@takes("data", "database_url", "lake_url")
def leads(
    paths: Paths,
    *,
    infer_fields: Annotated[
        bool,
        typer.Option(
            "--infer-fields",
            envvar="OUTHAUL_INFER_FIELDS",
            help="Take in columns that the catalog does not know, as new fields.",
        ),
    ] = False,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load leads; they merge by id.

    Example: `outhaul load leads leads.csv --data ./data --infer-fields`
    """

    def load(lake: Lake, catalog: Catalog, path: Path, report: Report) -> Loaded:
        loaded = load_leads(lake, catalog, path, now(), report, infer_fields=infer_fields)
        catalog.store(Entries(lead_fields=_fields(catalog, loaded)))
        return loaded

    _load("leads", paths, settings, load, subscription=subscription, as_json=json)


@app.command()
@takes("data", "database_url", "lake_url")
def activities(
    paths: Paths,
    *,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load activities; they merge by marketoGUID. Those of type 37 delete their leads for good.

    Example: `outhaul load activities 2026-01.csv 2026-02.csv --data ./data`
    """
    _load(
        "activities",
        paths,
        settings,
        lambda lake, catalog, path, report: load_activities(lake, catalog, path, now(), report),
        subscription=subscription,
        as_json=json,
    )


@app.command("list-members")
@takes("data", "database_url", "lake_url")
def list_members(
    paths: Paths,
    *,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load members of static lists: pairs of listId and leadId.

    Example: `outhaul load list-members members.jsonl --data ./data`
    """
    _load(
        "list members",
        paths,
        settings,
        lambda lake, catalog, path, report: load_list_members(lake, catalog, path, now(), report),
        subscription=subscription,
        as_json=json,
    )


@app.command("program-members")
@takes("data", "database_url", "lake_url")
def program_members(
    paths: Paths,
    *,
    infer_fields: Annotated[
        bool,
        typer.Option(
            "--infer-fields",
            envvar="OUTHAUL_INFER_FIELDS",
            help="Take in columns that the catalog does not know, as new fields of members.",
        ),
    ] = False,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load program members; they merge by programId and leadId.

    Example: `outhaul load program-members members.csv --data ./data`
    """

    def load(lake: Lake, catalog: Catalog, path: Path, report: Report) -> Loaded:
        loaded = load_program_members(lake, catalog, path, now(), report, infer_fields=infer_fields)
        catalog.store(Entries(member_fields=_member_fields(catalog, loaded)))
        return loaded

    _load("program members", paths, settings, load, subscription=subscription, as_json=json)


@app.command("custom-objects")
@takes("data", "database_url", "lake_url")
def custom_objects(
    paths: Paths,
    *,
    type_name: Annotated[
        str,
        typer.Option(
            "--type",
            envvar="OUTHAUL_TYPE",
            metavar="API_NAME",
            help="API name of the type of which they are: boat_c.",
        ),
    ],
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load custom objects of one type of the catalog; they merge by marketoGUID.

    Example: `outhaul load custom-objects boats.csv --type boat_c --data ./data`
    """

    def load(lake: Lake, catalog: Catalog, path: Path, report: Report) -> Loaded:
        known = catalog.custom_object_types()
        if type_name not in known:
            raise typer.BadParameter(
                f"the catalog has no custom object type {type_name!r}; "
                f"it has {', '.join(known) or 'none'}",
                param_hint="--type",
            )
        return load_custom_objects(lake, catalog, path, now(), report, api_name=type_name)

    _load("custom objects", paths, settings, load, subscription=subscription, as_json=json)


@app.command()
@takes("data", "database_url")
def catalog(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="JSON: answers of a live instance (leads/describe.json, activities/types.json), "
            "or outhaul's own file of programs, forms, staticLists, smartLists and the like."
        ),
    ],
    *,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Load what can be asked for: lead fields, activity types, programs, forms, static lists.

    Example: `outhaul load catalog describe.json types.json --data ./data`
    """
    read = [(path, _read_catalog(path)) for path in paths]
    with open_database(settings, subscription) as database:
        store = Catalog(database, subscription)
        for path, entries in read:
            try:
                store_entries(store, entries)
            except CatalogError as error:  # a smart list's rules
                fail(f"nothing of {path} was loaded: {error}")
    counts = [
        {
            "path": str(path),
            "leadFields": len(entries.lead_fields),
            "activityTypes": len(entries.activity_types),
            "assets": len(entries.assets),
        }
        for path, entries in read
    ]
    if json:
        print_json({"files": counts})
        return
    for path, entries in read:
        errors.print(escape(f"{path}: {len(entries)} entries of the catalog"))


def _load(  # noqa: PLR0913 - what the commands have in common
    what: str,
    paths: Sequence[Path],
    settings: Settings,
    load: Load,
    *,
    subscription: str,
    as_json: bool,
) -> None:
    """Load files one after the other, up to the first that does not fit."""
    done: list[Loaded] = []
    with named_errors(LocationMissingError):
        location_of_lakes(settings)
    with open_database(settings, subscription) as database, _progress() as progress:
        store = Catalog(database, subscription)
        lake = open_lake(settings, subscription, database)
        for path in paths:
            task = progress.add_task(escape(path.name), total=1.0)
            try:
                done.append(load(lake, store, path, _reporter(progress, task)))
            except FileError as error:
                progress.stop()
                _refused(error, done, left=len(paths) - len(done) - 1)
            except (LakeError, TableChangedError) as error:
                progress.stop()
                why = str(error)
                if isinstance(error, LakeError):
                    why = f"{lake_named(settings)}: {why}"
                _broken_off(path, why, done, left=len(paths) - len(done) - 1)
            progress.update(task, completed=1.0)
    if as_json:
        print_json({"files": [_summary(loaded) for loaded in done]})
        return
    for loaded in done:
        counts = loaded.merged
        did = f"{counts.added} {what} added, {counts.changed} changed"
        left = f", {counts.deleted} of deleted leads left out" if counts.deleted else ""
        errors.print(escape(f"{loaded.path}: {did}, {counts.unchanged} as they were{left}"))


def _refused(error: FileError, done: Sequence[Loaded], *, left: int) -> NoReturn:
    fail(f"nothing of {error.path} was loaded{_others(done, left)}:\n{error}")


def _broken_off(path: Path, why: str, done: Sequence[Loaded], *, left: int) -> NoReturn:
    # Deletions of leads may have been recorded, and the answer to a commit may have been lost.
    fail(f"{path} was not loaded to its end{_others(done, left)}; load it again: {why}")


def _others(done: Sequence[Loaded], left: int) -> str:
    before = f"; {len(done)} before it were loaded" if done else ""
    after = f"; {left} after it were not tried" if left else ""
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
        transient=True,
    )


def _summary(loaded: Loaded) -> dict[str, Any]:
    counts = loaded.merged
    return {
        "path": str(loaded.path),
        "records": counts.added + counts.changed + counts.unchanged + counts.deleted,
        "added": counts.added,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "inferredFields": {name: data_type(of) for name, of in loaded.inferred.items()},
    }


def _fields(catalog: Catalog, loaded: Loaded) -> tuple[LeadField, ...]:
    """Return the entries of inferred fields, as `describe.json` would show them."""
    known = catalog.lead_fields()
    free = max(entry.id for entry in known.values()) + 1
    return tuple(
        LeadField(
            id=free + n,
            name=name,
            display_name=name,
            data_type=data_type(of),
            description={
                "id": free + n,
                "displayName": name,
                "dataType": data_type(of),
                "rest": {"name": name, "readOnly": False},
            },
        )
        for n, (name, of) in enumerate(loaded.inferred.items())
        if name not in known
    )


def _member_fields(catalog: Catalog, loaded: Loaded) -> tuple[MemberField, ...]:
    """Return the entries of inferred fields, as `programs/members/describe.json` shows them."""
    known = catalog.member_fields()
    return tuple(
        MemberField(
            name=name,
            data_type=data_type(of),
            description={
                "name": name,
                "displayName": name,
                "dataType": data_type(of),
                "updateable": True,
                "crmManaged": False,
            },
        )
        for name, of in loaded.inferred.items()
        if name not in known
    )


def _read_catalog(path: Path) -> Entries:
    try:
        return parse_catalog(json_module.loads(path.read_text("utf-8")))
    except RecursionError:
        fail(f"nothing of {path} was loaded: nested too deeply")
    except OSError as error:
        fail(f"nothing of {path} was loaded: {error.strerror}")
    except ValueError as error:  # not UTF-8, not JSON, not a catalog
        fail(f"nothing of {path} was loaded: {error}")
