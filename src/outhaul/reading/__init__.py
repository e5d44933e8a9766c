"""Reading of records from the lake, for exports and look-ups."""
