"""The database of the state, which is all data but records and files: schema, engine, wake-ups."""
