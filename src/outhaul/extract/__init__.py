"""From a request to the bytes of a file: a plan, its parts, and who renders them."""
