"""Export jobs: their states, the store for their owners, the queue for workers, and retention."""
