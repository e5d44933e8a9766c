"""The script that Alembic runs. It migrates on the connection from `Database.migrate`."""

from alembic import context

from outhaul.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
