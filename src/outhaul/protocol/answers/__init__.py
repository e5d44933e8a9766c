"""The answers of the protocol, each declared once.

The server builds its answers as these models, the client reads an endpoint's answers with them, and
the published description has their schemas.
"""
