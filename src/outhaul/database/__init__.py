"""The database, which has all data but records and export files: schema, engine, wake-ups."""
