"""Smart lists: their rules, parsing them, and evaluating them over the records of the lake."""
