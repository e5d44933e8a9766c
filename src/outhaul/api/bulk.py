"""Bulk export: the calls that each kind has."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from outhaul.accounts.tokens import Caller
from outhaul.api.bulk_shapes import (
    BATCH_SIZE,
    EXPORT_ID,
    FILE,
    FILE_HEAD,
    FILE_HEAD_HEADERS,
    FILE_HEADERS,
    JOBS,
    LISTING,
    NEXT_PAGE_TOKEN,
    STATUS,
    JobPage,
    request_shape,
)
from outhaul.api.calls import JSON, Call, Endpoint
from outhaul.api.download import Method, file_response, redirect_response
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service, call_id
from outhaul.errors import ApiError, Error
from outhaul.export.request import read_request
from outhaul.jobs.job import Job
from outhaul.jobs.store import JobStore
from outhaul.kinds.registry import AnyKind, name_jobs
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.body import parse_object, parsed_integer, wrong_type
from outhaul.protocol.parameters import Parameter
from outhaul.protocol.states import State, parse_state


def bulk_calls(service: Service, kind: AnyKind) -> list[Call]:
    """Return the calls of one kind."""
    routes = _Routes(service, kind)
    typed = () if kind.type_parameter is None else (kind.type_parameter,)

    def call(
        method: Literal["GET", "HEAD", "POST"],
        path: str,
        endpoint: Endpoint,
        *parameters: Parameter,
        **described: Any,  # noqa: ANN401 - fields of `Call`
    ) -> Call:
        return Call(
            method=method,
            path=f"/bulk/v1/{kind.path}/export{path}.json",
            endpoint=endpoint,
            operation_id=f"{kind.name}_{endpoint.__name__}",
            tag=f"export {kind.name}",
            summary=(endpoint.__doc__ or "").partition("\n")[0],
            parameters=(*typed, *parameters),
            permissions=kind.permissions,
            **{"replies": JOBS, **described},
        )

    return [
        call("GET", "", routes.list, *LISTING),
        call("POST", "/create", routes.create, bodies={JSON: request_shape(kind)}),
        call("POST", "/{exportId}/enqueue", routes.enqueue, EXPORT_ID),
        call("POST", "/{exportId}/cancel", routes.cancel, EXPORT_ID),
        call("GET", "/{exportId}/status", routes.status, EXPORT_ID),
        call("GET", "/{exportId}/file", routes.file, EXPORT_ID, *FILE_HEADERS, replies=FILE),
        call("HEAD", "/{exportId}/file", routes.file_head, *FILE_HEAD_HEADERS, replies=FILE_HEAD),
    ]


class _Routes:
    """The endpoints of one kind. They ignore unknown parameters, because clients send some."""

    def __init__(self, service: Service, kind: AnyKind) -> None:
        self._service = service
        self._kind = kind

    async def create(self, request: Request) -> Response:
        """Create an export job. It does not run until it is enqueued."""
        caller = await run_in_threadpool(self._caller, request)
        content_type = request.headers.get("content-type", "application/json")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise Error.CONTENT_TYPE_INVALID(content_type=content_type)
        body = await request.body()
        job = await run_in_threadpool(self._create, caller, body, self._type_of(request))
        return self._answer(request, [job])

    def _create(self, caller: Caller, body: bytes, type_name: str | None) -> Job:
        context = self._service.context(caller)
        kind = self._kind.kind_of(context.catalog, type_name)
        wanted = read_request(kind, parse_object(body), context)
        jobs = self._service.jobs(caller)
        return jobs.create(name_jobs(kind, type_name), wanted, context.moment)

    def enqueue(self, request: Request) -> Response:
        """Put an export job into the queue."""
        jobs, kind, moment = self._jobs(request)
        job = jobs.enqueue(kind, _job_id(request), moment)
        return self._answer(request, [job])

    def cancel(self, request: Request) -> Response:
        """Cancel an export job that has not ended."""
        jobs, kind, moment = self._jobs(request)
        job = jobs.cancel(kind, _job_id(request), moment)
        return self._answer(request, [job])

    def status(self, request: Request) -> Response:
        """Show the state of an export job."""
        jobs, kind, moment = self._jobs(request)
        job = jobs.get(kind, _job_id(request), moment)
        return self._answer(request, [job])

    def list(self, request: Request) -> Response:
        """List the caller's export jobs of the last days, oldest first."""
        jobs, kind, moment = self._jobs(request)
        page, token = jobs.page(
            kind,
            moment,
            states=_states(request.query_params.getlist(STATUS.name)),
            size=_batch_size(request.query_params.get(BATCH_SIZE.name)),
            token=request.query_params.get(NEXT_PAGE_TOKEN.name) or None,
        )
        return self._answer(request, page, next_page_token=token)

    async def file(self, request: Request) -> Response:
        """Send the file of a Completed export job, or the bytes of it that `Range` names."""
        return await self._send(request, "GET")

    async def file_head(self, request: Request) -> Response:
        """Show the size, the checksum and the type of the file of a Completed export job."""
        answer = await self._send(request, "HEAD")
        return Response(status_code=answer.status_code, headers=answer.headers)

    async def _send(self, request: Request, method: Method) -> Response:
        service = self._service
        try:
            job, parts = await run_in_threadpool(self._file, request)
        except LookupError as error:
            return PlainTextResponse(f"Not Found: {error}\n", status_code=404)
        if service.settings.files_redirect:
            redirect = await redirect_response(service.files, parts, method)
            if redirect is not None:
                return redirect
        return await file_response(service.files, job, parts, request.headers, method)

    def _file(self, request: Request) -> tuple[Job, Sequence[tuple[str, int]]]:
        """Return a job and the parts of its file. Raises `LookupError` if there is no file."""
        caller = self._caller(request)
        jobs = self._service.jobs(caller)
        # The catalog is not read here, to keep range requests cheap: an unknown type has no jobs.
        kind = name_jobs(self._kind, self._type_of(request))
        try:
            job_id = _job_id(request)
        except ApiError as error:
            raise LookupError(error.message) from error
        return jobs.file(kind, job_id, self._service.moment(caller))

    def _jobs(self, request: Request) -> tuple[JobStore, str, datetime]:
        """Return the caller's jobs, the name of the jobs that the path selects, and the time."""
        caller = self._caller(request)
        type_name = self._type_of(request)
        if type_name is not None:
            self._kind.kind_of(self._service.context(caller).catalog, type_name)
        service = self._service
        return service.jobs(caller), name_jobs(self._kind, type_name), service.moment(caller)

    def _type_of(self, request: Request) -> str | None:
        """Return the type of records that the path names; `None` if the kind has no types."""
        parameter = self._kind.type_parameter
        if parameter is None:
            return None
        name: str = request.path_params[parameter.name]
        # PostgreSQL fails on a query with a NUL byte. No name of a type contains one.
        return name.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def _caller(self, request: Request) -> Caller:
        caller = self._service.caller(request)
        caller.require(self._kind.permissions)
        return caller

    def _answer(
        self, request: Request, jobs: Sequence[Job], *, next_page_token: str | None = None
    ) -> Response:
        found = Found([job.to_answer() for job in jobs], next_page_token)
        return JsonResponse(JobPage.of(call_id(request), found))


def _job_id(request: Request) -> str:
    """Return the job id in the path, in the form that the database has."""
    text = request.path_params["exportId"].strip()
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise wrong_type(text, "exportId", "UUID") from None


def _states(values: list[str]) -> list[State]:
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    try:
        return [parse_state(name) for name in names]
    except ValueError:
        known = ", ".join(State)
        raise Error.INVALID(
            parameter="status", problem=f"'{', '.join(names)}' names more than {known}"
        ) from None


def _batch_size(text: str | None) -> int | None:
    """Return the requested size of a page, or `None`. The store reduces a size over the limit."""
    if not text:
        return None
    return parsed_integer(text, BATCH_SIZE.name, at_least=1)
