"""The calls of the app are calls of the protocol."""

import pytest
from tests.support.instance import KINDS, TOKEN, Instance, base
from tests.support.schemas import HEALTH, MISSING, OWN, UNDESCRIBED, Contract


def test_every_call_is_in_the_published_descriptions(
    contract: Contract | None, shared: Instance
) -> None:
    """Where they are missing, the other tests of this folder hold no answer against them."""
    if contract is None:
        pytest.skip(MISSING)
    ours = {
        # A look-up can be a POST that says `_method=GET` (clients.md). HEAD is of any GET.
        ("GET" if operation["operationId"].endswith(("_posted", "_head")) else method.upper(), path)
        for path, methods in shared.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert ours <= contract.operations() | {("GET", path) for path in (*UNDESCRIBED, *OWN)} | {
        (way, path) for _, path in HEALTH for way in ("GET", "HEAD")
    }
    assert {("GET", TOKEN), ("POST", TOKEN)} < ours
    assert {("GET", path) for path in OWN} <= ours - contract.operations()
    for kind in KINDS:
        exports = {call for call in contract.operations() if call[1].startswith(base(kind))}
        assert len(exports) == 6
        assert exports < ours


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"requestId": "a#1", "success": True}),
        (200, {"requestId": "a#1", "success": True, "result": [], "extra": 1}),
        (200, {"requestId": "a#1", "success": True, "result": [], "nextPageToken": None}),
        (200, {"requestId": "a#1", "success": True, "result": [{"exportId": "x"}]}),
        (200, {"requestId": "a#1", "success": True, "result": [], "errors": []}),
        (200, {"requestId": "a#1", "success": False, "errors": []}),
        (200, {"requestId": "a#1", "success": False, "errors": [{"code": 1, "message": "x"}]}),
        (
            200,
            {
                "requestId": "a#1",
                "success": True,
                "result": [{"exportId": "x", "status": "Created", "createdAt": "today"}],
            },
        ),
    ],
)
def test_an_answer_of_another_shape_is_noticed(
    contract: Contract | None, status: int, body: dict[str, object]
) -> None:
    if contract is None:
        pytest.skip(MISSING)
    with pytest.raises((AssertionError, ValueError)):
        contract.check("GET", f"{base('leads')}.json", status, body)
