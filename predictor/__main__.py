"""python -m predictor: `predictor.command`, which is loaded without the collector."""

import gc
import sys

gc.disable()  # until it serves: modules are no garbage, and looking took a fifth of it

from predictor.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
