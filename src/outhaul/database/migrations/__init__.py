"""The migrations, which change the schema from each version to the next."""
