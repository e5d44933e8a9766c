from tests.support.lake_fixtures import catalog, database_url, lake, shared_catalog

__all__ = ["catalog", "database_url", "lake", "shared_catalog"]
