"""Smart lists: their rules, how rules are read, and which leads they choose."""
