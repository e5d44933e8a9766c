"""The SQL schema, its migrations, and the engine: what the service knows besides the records."""
