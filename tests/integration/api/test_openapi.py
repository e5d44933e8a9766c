"""The published description is of the form that OpenAPI 3.1 demands."""

from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.support.instance import Instance


def test_it_is_an_openapi_description(shared: Instance) -> None:
    OpenAPIV31SpecValidator(shared.openapi()).validate()
