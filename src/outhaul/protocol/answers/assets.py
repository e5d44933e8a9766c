"""Answers about assets: of the lead database (`/rest/v1`), and of calls under `/rest/asset`.

The looks of a form, and the tags and costs of a program, have the values that were loaded.
"""

from typing import Any, Literal

from outhaul.protocol.answers.model import Answer, AssetInstant, Instant


class StaticList(Answer):
    """A static list in calls of the lead database."""

    id: int
    name: str
    description: str | None = None
    program_name: str | None = None
    workspace_name: str
    created_at: Instant
    updated_at: Instant


class Campaign(Answer):
    """A smart campaign in calls of the lead database."""

    id: int
    name: str
    description: str | None = None
    type: Literal["batch", "trigger"]
    program_name: str | None = None
    program_id: int | None = None
    workspace_name: str
    created_at: Instant
    updated_at: Instant
    active: bool


class Folder(Answer):
    """The folder or program of an asset. `id` and `value` are equal, as clients read either."""

    type: Literal["Folder", "Program"]
    id: int
    value: int
    folder_name: str


class _Asset(Answer):
    id: int
    name: str
    description: str
    created_at: AssetInstant
    updated_at: AssetInstant
    url: str
    folder: Folder


class ProgramInList(_Asset):
    """A program in a list of programs."""

    type: Literal["program", "event", "webinar", "nurture"]
    channel: str
    status: Literal["locked", "unlocked", "on", "off"]
    workspace: str
    sfdc_id: str | None = None
    sfdc_name: str | None = None


class Program(ProgramInList):
    """A program."""

    type: Literal["default", "event", "webinar", "nurture"]  # type: ignore[assignment]
    start_date: str | None = None
    end_date: str | None = None
    tags: list[Any]
    costs: list[Any]


class Form(_Asset):
    """A form."""

    status: Literal["approved", "draft"]
    theme: str
    language: str
    locale: str
    progressive_profiling: bool
    label_position: str
    font_family: str
    font_size: str
    known_visitor: dict[str, Any]
    thank_you_list: list[Any]
    button_location: int
    button_label: str
    waiting_label: str


class AssetList(_Asset):
    """A static list or a smart list."""

    workspace: str


class SmartCampaign(Answer):
    """A smart campaign in calls under `/rest/asset`."""

    id: int
    name: str
    description: str
    created_at: AssetInstant
    updated_at: AssetInstant
    folder: Folder
    status: str
    type: Literal["batch", "trigger"]
    is_system: bool
    is_active: bool
    is_requestable: bool
    is_communication_limit_enabled: bool
    recurrence: dict[str, Any]
    qualification_rule_type: str
    workspace: str
    smart_list_id: int | None = None
    flow_id: int | None = None
    computed_url: str


class SmartListCondition(Answer):
    """A condition of a smart list's filter on one attribute."""

    activity_attribute_id: int
    activity_attribute_name: str
    operator: str
    values: list[str]
    is_primary: bool


class SmartListFilter(Answer):
    """A filter of a smart list."""

    id: int
    name: str
    rule_type_id: int
    rule_type: Literal["Lead Attribute", "Static List", "Activity"]
    operator: str
    conditions: list[SmartListCondition]


class SmartListRules(Answer):
    """The rules of a smart list. Nested groups are flattened, and a text has their logic."""

    filter_match_type: Literal["All", "Any", "Advanced"]
    triggers: list[str]
    filters: list[SmartListFilter]
    filter_custom_rule_logic: str | None = None


class SmartList(AssetList):
    """A smart list, with its rules if the call asks for them."""

    rules: SmartListRules | None = None
