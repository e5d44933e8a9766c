from tests.support.job_fixtures import export_request, make_caller

__all__ = ["export_request", "make_caller"]
