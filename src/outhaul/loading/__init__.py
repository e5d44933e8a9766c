"""Loading of files: records are read, checked, and merged into a table in one commit a file."""
