"""Storage of export files in a folder or a bucket, which is opened by its URL."""
