"""Roll a canary out by evidence, from its first percent to promoted or rolled back.

python -m scripts.canary run -f rollout.yaml
"""

import sys
from collections.abc import Sequence

from scripts.rollout.cli.app import CANARY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return its exit code."""
    return CANARY.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
