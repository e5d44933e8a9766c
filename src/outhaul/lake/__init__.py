"""The records, as Delta Lake tables that other engines can read too."""
