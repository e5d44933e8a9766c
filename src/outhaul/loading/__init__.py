"""Files of records, read, checked and merged into a table: one commit a file, or nothing."""
