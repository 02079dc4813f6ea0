"""`python -m rom`: the command line where its script is not on the path."""

import sys

from rom.cli import main

sys.exit(main())
