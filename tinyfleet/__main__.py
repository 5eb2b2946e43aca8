"""``python -m tinyfleet``."""

from tinyfleet.cli import main

main()
