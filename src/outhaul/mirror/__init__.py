"""The mirror: it brings the records of an endpoint into a lake, and keeps them in step with it."""
