"""Names of fields, whatever their spelling, each get one column or are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.catalog.entries import LeadField
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS
from outhaul.mirror.changes import Change, Changes, What
from outhaul.mirror.fields import Comparison, Fields

NAMES = st.lists(
    st.one_of(
        st.text("abAB", min_size=1, max_size=2),
        st.sampled_from(
            ["ID", "id", "createdat", "createdAt", "outhaul_range", " a", "b\0", "ß", "SS"]
        ),
    ),
    unique=True,
)


def field(name: str, data_type: str = "string", display: str = "X") -> LeadField:
    return LeadField(id=1, name=name, display_name=display, data_type=data_type)


def comparison(
    lake: Lake, offered: list[str], stored: list[str], told_before: tuple[str, ...] = ()
) -> Comparison[LeadField]:
    fields = Fields(
        part="lead field",
        path="leads",
        table=LEADS,
        offered={name: field(name) for name in offered},
        stored={name: field(name) for name in stored},
    )
    return Comparison(fields, lake, told_before)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("lake"))


@given(offered=NAMES, stored=NAMES)
def test_no_two_columns_differ_in_case_only(
    lake: Lake, offered: list[str], stored: list[str]
) -> None:
    # What is stored was compared before.
    stored = list({name.lower(): name for name in comparison(lake, stored, []).here}.values())
    found = comparison(lake, offered, stored)
    columns = {*stored, *found.here}
    assert len({name.lower() for name in columns}) == len(columns)
    assert [*found.names] == [name for name in offered if name in found.names]
    refused = {change.name for change in found.found if change.what is What.REFUSED}
    assert len(refused) <= len(offered) - len(found.names)
    for name, here in found.names.items():
        assert name.lower() == here.lower()
        if name in stored:
            assert here == name, "what is spelled as it is here is that field"
    assert set(found.headers) == {name for name, here in found.names.items() if name != here}


def test_a_name_that_is_refused_says_why(lake: Lake) -> None:
    found = comparison(lake, ["Foo", "foo", "outhaul_x", " x"], [])
    assert [change.text for change in found.found if change.what is What.REFUSED] == [
        "lead field foo: refused, it differs from 'Foo' in case only",
        "lead field outhaul_x: refused, names that begin with 'outhaul_' are outhaul's",
        "lead field x: refused, a column cannot have this name",
    ]


def test_what_was_told_before_is_not_told_again_and_much_is_told_in_one_line() -> None:
    gone = [Change(what=What.GONE, part="static list", name=str(n)) for n in range(1_000)]
    new = Change(what=What.NEW, part="lead field", name="crew")
    first = Changes(fields={}, headers={}, new_fields={}, found=(*gone, new))
    assert first.notices == (
        "static list: 1,000 are gone at the endpoint: 0, 1, 2, 3, 4 and 995 more",
        "lead field crew: new",
    )
    assert first.lasting == tuple(change.text for change in gone)
    again = Changes(
        fields={},
        headers={},
        new_fields={},
        found=(*gone, Change(what=What.GONE, part="static list", name="x")),
        told_before=frozenset(first.lasting),
    )
    assert again.notices == ("static list x: gone at the endpoint",)
