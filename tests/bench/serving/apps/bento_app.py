"""BentoML's service."""

import os

import bentoml
import joblib


@bentoml.service(workers=1)
class Intents:
    """The pipeline as an API."""

    def __init__(self) -> None:
        """Unpickle."""
        self.pipeline = joblib.load(os.environ["MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, text: str) -> dict[str, str]:
        """The likeliest label."""
        return {"intent": str(self.pipeline.predict([text])[0])}
