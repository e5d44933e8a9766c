"""What exports and look-ups read with: a reading, its slices, scans and pages."""
