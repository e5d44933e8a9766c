"""`python -m outhaul`."""

from outhaul.cli import main

main()
