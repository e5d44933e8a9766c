from tests.support.job_fixtures import export_request

__all__ = ["export_request"]
