"""Finished files: parts in a store, read back in pieces."""
