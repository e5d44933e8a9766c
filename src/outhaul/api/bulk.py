"""Bulk export: the six routes of a kind, the same for every kind."""

import uuid
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from outhaul.accounts.tokens import Caller
from outhaul.api.download import file_response, redirect_response
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service, call_id
from outhaul.errors import ApiError, Error
from outhaul.export.request import read_request
from outhaul.jobs.job import Job
from outhaul.jobs.store import JobStore
from outhaul.kinds.kind import Kind
from outhaul.protocol.body import parse_object, wrong_type
from outhaul.protocol.envelope import success
from outhaul.protocol.states import State, parse_state


class DateRange(BaseModel):
    """A window of time; both ends belong to it, to the second."""

    startAt: str  # noqa: N815 - the protocol's name
    endAt: str  # noqa: N815 - the protocol's name


class ExportBody(BaseModel):
    """What an export is made of."""

    filter: dict[str, Any]
    fields: list[str] | None = None
    columnHeaderNames: dict[str, str] | None = None  # noqa: N815 - the protocol's name
    format: str | None = None


class ExportAnswer(BaseModel):
    """An export job; what is not reached yet is left out."""

    exportId: str  # noqa: N815 - the protocol's name
    format: str
    status: State
    createdAt: str  # noqa: N815 - the protocol's name
    queuedAt: str | None = None  # noqa: N815 - the protocol's name
    startedAt: str | None = None  # noqa: N815 - the protocol's name
    finishedAt: str | None = None  # noqa: N815 - the protocol's name
    numberOfRecords: int | None = None  # noqa: N815 - the protocol's name
    fileSize: int | None = None  # noqa: N815 - the protocol's name
    fileChecksum: str | None = None  # noqa: N815 - the protocol's name
    errorMsg: str | None = None  # noqa: N815 - the protocol's name


class Answer(BaseModel):
    """The envelope of an answer about export jobs."""

    requestId: str  # noqa: N815 - the protocol's name
    success: bool
    result: list[ExportAnswer] | None = None
    errors: list[dict[str, str]] | None = None
    nextPageToken: str | None = None  # noqa: N815 - the protocol's name


def bulk_router(service: Service, kind: Kind) -> APIRouter:
    """Return the routes of one kind."""
    routes = _Routes(service, kind)
    base = f"/bulk/v1/{kind.path}/export"
    typed = [] if kind.of_type is None else [Depends(_named)]
    router = APIRouter(tags=[f"export {kind.name}"], dependencies=typed)
    named = (
        ("GET", ".json", routes.jobs, "list"),
        ("POST", "/create.json", routes.create, "create"),
        ("POST", "/{export_id}/enqueue.json", routes.enqueue, "enqueue"),
        ("POST", "/{export_id}/cancel.json", routes.cancel, "cancel"),
        ("GET", "/{export_id}/status.json", routes.status, "status"),
    )
    for method, path, endpoint, action in named:
        router.add_api_route(
            base + path,
            endpoint,
            methods=[method],
            response_model=Answer,
            operation_id=f"{kind.name}_{action}",
            openapi_extra=_CREATE_BODY if action == "create" else None,
        )
    router.add_api_route(
        base + "/{export_id}/file.json",
        routes.file,
        methods=["GET"],
        response_class=PlainTextResponse,
        operation_id=f"{kind.name}_file",
    )
    return router


_CREATE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ExportBody.model_json_schema()}},
    }
}


class _Routes:
    """The endpoints of one kind. Parameters that clients add of their own are ignored."""

    def __init__(self, service: Service, kind: Kind) -> None:
        self._service = service
        self._kind = kind

    async def create(self, request: Request) -> Response:
        """Define an export job; it does not run before it is enqueued."""
        caller = await run_in_threadpool(self._caller, request)
        content_type = request.headers.get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise Error.CONTENT_TYPE_INVALID(content_type=content_type)
        body = await request.body()
        job = await run_in_threadpool(self._create, caller, body, _type_of(request))
        return self._answer(request, [job])

    def _create(self, caller: Caller, body: bytes, type_name: str | None) -> Job:
        context = self._service.context(caller)
        kind = self._kind.resolve(context, type_name)
        wanted = read_request(kind, parse_object(body), context)
        jobs = self._service.jobs(caller)
        return jobs.create(kind.job_kind(type_name), wanted, self._service.clock())

    def enqueue(self, request: Request, export_id: str) -> Response:
        """Put an export job into the queue."""
        jobs, kind = self._jobs(request)
        job = jobs.enqueue(kind, _uuid(export_id), self._service.clock())
        return self._answer(request, [job])

    def cancel(self, request: Request, export_id: str) -> Response:
        """End an export job that is not done yet."""
        jobs, kind = self._jobs(request)
        job = jobs.cancel(kind, _uuid(export_id), self._service.clock())
        return self._answer(request, [job])

    def status(self, request: Request, export_id: str) -> Response:
        """Tell how far an export job is."""
        jobs, kind = self._jobs(request)
        job = jobs.get(kind, _uuid(export_id), self._service.clock())
        return self._answer(request, [job])

    def jobs(self, request: Request) -> Response:
        """List the caller's export jobs of the last days, oldest first.

        `status` may be repeated, or several joined by commas; `batchSize` is 300 at most.
        """
        jobs, kind = self._jobs(request)
        page, token = jobs.page(
            kind,
            self._service.clock(),
            states=_states(request.query_params.getlist("status")),
            size=_batch_size(request.query_params.get("batchSize")),
            token=request.query_params.get("nextPageToken") or None,
        )
        return self._answer(request, page, next_page_token=token)

    async def file(self, request: Request, export_id: str) -> Response:
        """Send the file of a Completed export job, whole or the bytes that `Range` names."""
        service = self._service
        try:
            job, parts = await run_in_threadpool(self._file, request, export_id)
        except LookupError as error:
            return PlainTextResponse(f"Not Found: {error}\n", status_code=404)
        if service.settings.files_redirect:
            redirect = await redirect_response(service.files, parts)
            if redirect is not None:
                return redirect
        return await file_response(service.files, job, parts, request.headers)

    def _file(self, request: Request, export_id: str) -> tuple[Job, list[tuple[str, int]]]:
        """Return a job and the parts of its file. Raises `LookupError` where there is none."""
        jobs = self._service.jobs(self._caller(request))
        # Every piece of a file comes through here: a type that there is not has no jobs either.
        kind = self._kind.job_kind(_type_of(request))
        try:
            job_id = _uuid(export_id)
        except ApiError as error:
            raise LookupError(error.message) from error
        return jobs.file(kind, job_id, self._service.clock())

    def _jobs(self, request: Request) -> tuple[JobStore, str]:
        """Return the caller's jobs, and which of them the path is about."""
        caller = self._caller(request)
        type_name = _type_of(request)
        kind = self._kind
        if type_name is not None:
            kind = kind.resolve(self._service.context(caller), type_name)
        return self._service.jobs(caller), kind.job_kind(type_name)

    def _caller(self, request: Request) -> Caller:
        caller = self._service.caller(request)
        caller.require(self._kind.permissions)
        return caller

    def _answer(
        self, request: Request, jobs: list[Job], *, next_page_token: str | None = None
    ) -> Response:
        result = [job.to_answer() for job in jobs]
        return JsonResponse(success(call_id(request), result, next_page_token=next_page_token))


def _named(apiName: str) -> None:  # noqa: N803 - the protocol's name
    """Tell the API's description that the path has this parameter."""


def _type_of(request: Request) -> str | None:
    """Return the type of records that the path names, where the kind has types."""
    name: str | None = request.path_params.get("apiName")
    # PostgreSQL fails on a question about NUL bytes, and no type has one in its name.
    return name and name.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _uuid(text: str) -> str:
    """Return a job's id as we write it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise wrong_type(text, "exportId", "UUID") from None


def _states(values: list[str]) -> list[State]:
    names = [name for value in values for name in value.split(",") if name.strip()]
    try:
        return [parse_state(name) for name in names]
    except ValueError:
        known = ", ".join(State)
        raise Error.INVALID(
            parameter="status", problem=f"'{', '.join(names)}' names more than {known}"
        ) from None


def _batch_size(text: str | None) -> int | None:
    """Return how many jobs a page should have; a larger number than allowed is cut later."""
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) == 0:  # noqa: PLR2004
        raise wrong_type(text, "batchSize", "positive integer")
    return int(text)
