"""Writing export files: plans, formats, parts, and the executors that render parts."""
