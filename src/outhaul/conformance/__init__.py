"""Suites that additions of other packages can run over what they add.

The extra `outhaul[conformance]` installs what the suites need.
"""
