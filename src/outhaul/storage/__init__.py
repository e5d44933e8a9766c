"""Where export files are stored: a folder or a bucket, opened by its URL."""
