"""Test suites for kinds, formats, stores and executors, which other packages can use too.

The extra `outhaul[conformance]` installs what the suites need.
"""
