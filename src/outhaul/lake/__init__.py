"""The records themselves, as Delta Lake tables that any engine can read."""
