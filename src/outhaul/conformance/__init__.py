"""Suites that additions of other packages can run over what they add."""
