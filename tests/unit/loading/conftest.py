from tests.support.lake_fixtures import catalog, lake, shared_catalog

__all__ = ["catalog", "lake", "shared_catalog"]
