"""Run the `rom` command with ``python -m rom``."""

import sys

from rom.cli import main

if __name__ == "__main__":
    sys.exit(main())
