"""Records in files: readers, the types of columns, conversions of values."""
