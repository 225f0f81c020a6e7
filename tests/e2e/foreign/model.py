"""A plain kserve.Model, as KServe's own examples are: no metrics but KServe's.

FAILING=N fails each Nth request.
"""

import os
from itertools import count
from typing import Any

from kserve import Model, ModelServer

FAILING = int(os.environ.get("FAILING", "0"))
NUMBERS = count(1)


class Plain(Model):  # type: ignore[misc]
    """Says how long each instance is."""

    def load(self) -> bool:
        """Nothing is to be loaded."""
        self.ready = True
        return True

    async def predict(self, payload: Any, *_: Any, **__: Any) -> Any:
        """Return the lengths."""
        if FAILING and next(NUMBERS) % FAILING == 0:
            raise RuntimeError("as asked")
        return {"predictions": [len(str(each)) for each in payload["instances"]]}


if __name__ == "__main__":
    model = Plain("plain")
    model.load()
    ModelServer().start([model])
