from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from outhaul.declaration import Declared, Entries, Option, group_of


class Inner(Declared):
    PREFIX = "TEST_INNER_"

    key: SecretStr | None = None


class Outer(Declared):
    PREFIX = "TEST_"

    name: Annotated[str | None, Option()] = None
    wanted: bool = True
    entries: Annotated[dict[str, object], Entries("TEST_ENTRY_")] = Field(default_factory=dict)
    inner: Inner = Field(default_factory=Inner)


FULL = Outer(
    name="a name",
    wanted=False,
    entries={"one": 1, "other": None, "yes": True},
    inner=Inner(key=SecretStr("secret")),
)


def test_settings_are_read_back_from_their_variables() -> None:
    assert FULL.variables() == {
        "TEST_NAME": "a name",
        "TEST_WANTED": "false",
        "TEST_ENTRY_ONE": "1",
        "TEST_ENTRY_OTHER": "none",
        "TEST_ENTRY_YES": "true",
        "TEST_INNER_KEY": "secret",
    }
    given = Outer.given_by(FULL.variables() | {"TEST_OF_ANOTHER": "x", "PATH": "/bin"})
    assert Outer.model_validate(given) == FULL.model_copy(
        update={"entries": {"one": "1", "other": "none", "yes": "true"}}
    )


def test_only_the_settings_that_are_named_are_read() -> None:
    assert Outer.given_by(FULL.variables(), ["name"]) == {"name": "a name"}


def test_an_empty_variable_sets_nothing() -> None:
    assert Outer.given_by({"TEST_NAME": "", "TEST_INNER_KEY": ""}) == {"entries": {}, "inner": {}}


def test_an_environment_has_these_settings_and_no_others() -> None:
    inherited = FULL.variables() | {"PATH": "/bin", "TEST_OF_ANOTHER": "x"}
    assert Outer().environment(inherited) == {
        "PATH": "/bin",
        "TEST_OF_ANOTHER": "x",
        "TEST_WANTED": "true",
    }


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (("name",), "TEST_NAME"),
        (("inner", "key"), "TEST_INNER_KEY"),
        (("entries", "one"), "TEST_ENTRY_ONE"),
        (("entries",), "TEST_ENTRY_<NAME>"),
        (("inner",), ""),
        ((), ""),
    ],
)
def test_an_error_is_traced_to_a_variable(path: tuple[str, ...], source: str) -> None:
    assert Outer.source(*path) == source


def test_options_and_groups_are_those_that_are_declared() -> None:
    assert Outer.options() == ["name"]
    groups = {name: group_of(field) for name, field in Outer.model_fields.items()}
    assert groups == {"name": None, "wanted": None, "entries": None, "inner": Inner}
