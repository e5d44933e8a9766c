from tests.support.export_fixtures import context, lake, load

__all__ = ["context", "lake", "load"]
