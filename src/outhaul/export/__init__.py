"""From a reading to the bytes of a file: formats, parts, and the executors that render them."""
