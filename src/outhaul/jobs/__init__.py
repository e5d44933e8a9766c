"""Export jobs: what they are, how they change their state, the queue and its rules."""
