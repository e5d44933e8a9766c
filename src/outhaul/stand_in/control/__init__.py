"""The control API of a stand-in, under `/_outhaul`."""
