"""The stand-in: an instance to develop against, with a control API, a journal and faults."""
