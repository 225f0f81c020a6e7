"""A kserve.Model as KServe documents it: load, predict, nothing else."""

import os
from typing import Any

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid


class Plain(Model):  # type: ignore[misc]
    """The pipeline behind both protocols."""

    def __init__(self, name: str) -> None:
        """Load at once."""
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        """Unpickle."""
        self.pipeline = joblib.load(os.environ["MODEL"])
        self.ready = True
        return self.ready

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """The likeliest label of each text."""
        del headers
        if not isinstance(payload, InferRequest):
            return {"predictions": self.pipeline.predict(payload["instances"]).tolist()}
        texts = payload.inputs[0].as_numpy().ravel().tolist()
        labels = self.pipeline.predict(texts).tolist()
        output = InferOutput("label", [len(labels)], "BYTES", data=labels)
        return InferResponse(
            response_id=payload.id or generate_uuid(),
            model_name=self.name,
            infer_outputs=[output],
        )


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    ModelServer(http_port=port, enable_grpc=False).start([Plain("intent")])
