"""What can be asked for: lead fields, activity types, and the assets that filters name."""
