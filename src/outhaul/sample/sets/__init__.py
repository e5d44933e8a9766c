"""Named sets of records, to develop and to test with."""

from outhaul.sample.sets.declaration import Of, Parameter, RecordSet, SetError
from outhaul.sample.sets.loading import load_set
from outhaul.sample.sets.registry import SETS, set_named

__all__ = ["SETS", "Of", "Parameter", "RecordSet", "SetError", "load_set", "set_named"]
