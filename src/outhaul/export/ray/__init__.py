"""Rendering parts as tasks of a Ray cluster."""
