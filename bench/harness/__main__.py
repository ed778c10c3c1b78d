"""python3 -m harness: what ci/bench runs."""

import sys

from .main import main

sys.exit(main(sys.argv[1:]))
