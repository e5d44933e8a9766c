"""The names of calls."""

import pytest

from outhaul.kinds import KINDS
from outhaul.stand_in.calls import Named, name_call


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/identity/oauth/token", Named("token", None, None)),
        ("/bulk/v1/leads/export/create.json", Named("create", "leads", None)),
        ("/bulk/v1/leads/export.json", Named("list", "leads", None)),
        ("/bulk/v1/activities/export/7f/enqueue.json", Named("enqueue", "activities", "7f")),
        ("/bulk/v1/program/members/export/7f/file.json", Named("file", "program-members", "7f")),
        (
            "/bulk/v1/customobjects/boat_c/export/7f/status.json",
            Named("status", "custom-objects/boat_c", "7f"),
        ),
        ("/bulk/v1/customobjects/a/b/export.json", Named("list", "customobjects/a/b", None)),
        ("/bulk/v1/boats/export/7f/cancel.json", Named("cancel", "boats", "7f")),
        ("/rest/v1/leads.json", Named("/rest/v1/leads.json", None, None)),
        ("/bulk/v1/leads/export/create", Named("/bulk/v1/leads/export/create", None, None)),
    ],
)
def test_a_call_is_named_by_its_path(path: str, named: Named) -> None:
    assert name_call(path) == named


def test_every_kind_is_recognised() -> None:
    for kind in KINDS.values():
        typed = kind.type_parameter is not None
        path = kind.path.replace("{apiName}", "boat_c")
        expected = f"{kind.name}/boat_c" if typed else kind.name
        assert name_call(f"/bulk/v1/{path}/export/create.json").kind == expected
