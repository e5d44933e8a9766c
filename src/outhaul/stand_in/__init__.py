"""The stand-in: an instance to develop against, with a control API and a journal."""
