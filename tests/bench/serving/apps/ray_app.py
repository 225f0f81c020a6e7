"""Ray Serve's deployment."""

import os
import time
from typing import Any

import joblib
import ray
from ray import serve


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Intents:
    """The pipeline in a replica."""

    def __init__(self) -> None:
        """Unpickle."""
        self.pipeline = joblib.load(os.environ["MODEL"])

    async def __call__(self, request: Any) -> dict[str, str]:
        """The likeliest label."""
        return {
            "intent": str(self.pipeline.predict([(await request.json())["text"]])[0])
        }


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Intents.bind(), route_prefix="/predict")  # type: ignore[attr-defined]
    while True:
        time.sleep(60)
