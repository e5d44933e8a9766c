"""Parts rendered as tasks of a Ray cluster."""
