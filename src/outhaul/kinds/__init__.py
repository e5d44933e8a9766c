"""The kinds of records. One module declares all of a kind: loading, describing, exporting."""

from outhaul.kinds.filter import Context
from outhaul.kinds.kind import Kind
from outhaul.kinds.registry import KINDS, find_kind, register

__all__ = ["KINDS", "Context", "Kind", "find_kind", "register"]
