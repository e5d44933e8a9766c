"""The answers of the protocol, each declared once.

The server builds answers with these models, the client reads answers with them, and the published
description has their schemas.
"""
