"""Who is measured, how it is started, asked, and understood."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.local.processes import ROOT

APPS = Path(__file__).parent / "apps"
FITTED_WITH = ("scikit-learn==1.9.1", "joblib")
V1, V2 = "/v1/models/intent:predict", "/v2/models/intent/infer"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask a server: a path, a body of texts, and the labels of an answer."""

    path: str
    body: Callable[[Sequence[str]], Any]
    labels: Callable[[Any], list[str]]

    def encoded(self, texts: Sequence[str]) -> bytes:
        """The body in bytes, ASCII only."""
        return json.dumps(self.body(texts)).encode()


@dataclass(frozen=True, slots=True)
class Peer:
    """A server: its packages (none: this environment), command, and ways."""

    name: str
    command: Callable[[str, int], Sequence[str]]
    ways: Mapping[str, Way]
    packages: Sequence[str] = ()
    cwd: Path = APPS


def _tensor(texts: Sequence[str]) -> dict[str, Any]:
    shape = [len(texts)]
    return {"name": "text", "datatype": "BYTES", "shape": shape, "data": list(texts)}


V1_WAY = Way(
    V1,
    lambda texts: {"instances": list(texts)},
    lambda answer: [
        each["label"] if isinstance(each, dict) else each
        for each in answer["predictions"]
    ],
)
V2_WAY = Way(
    V2,
    lambda texts: {"inputs": [_tensor(texts)]},
    lambda answer: answer["outputs"][0]["data"],
)
MLSERVER_WAY = Way(
    V2,
    lambda texts: {"parameters": {"content_type": "str"}, "inputs": [_tensor(texts)]},
    V2_WAY.labels,
)
PLAIN_WAY = Way(
    "/predict", lambda texts: {"text": texts[0]}, lambda answer: [answer["intent"]]
)


def _app(name: str) -> Callable[[str, int], Sequence[str]]:
    return lambda python, _: [python, f"{name}.py"]


def ours(version: str) -> Peer:
    """This project's predictor."""
    model = ROOT / "models" / version
    return Peer(
        f"this predictor, {version}",
        lambda python, port: [
            *(python, "-m", "predictor", "--model_dir", str(model)),
            *("--http_port", str(port), "--grpc_port", str(port + 1)),
        ],
        {"V1": V1_WAY, "V2": V2_WAY},
        cwd=ROOT,
    )


PLAIN = Peer("plain kserve.Model", _app("kserve_plain"), {"V1": V1_WAY, "V2": V2_WAY})
STATIC = Peer("static ASGI answer", _app("static_asgi"), {"V1": V1_WAY, "V2": V2_WAY})
STATIC_GRPC = Peer("static grpc.aio answer", _app("static_grpc"), {})
OTHERS = (
    Peer(
        "MLServer",
        lambda python, _: [str(Path(python).parent / "mlserver"), "start", "."],
        {"V2": MLSERVER_WAY},
        ("mlserver", "mlserver-sklearn", *FITTED_WITH),
    ),
    Peer(
        "FastAPI",
        _app("fastapi_app"),
        {"own": PLAIN_WAY},
        ("fastapi", "uvicorn[standard]", *FITTED_WITH),
    ),
    Peer(
        "Flask + gunicorn",
        lambda python, port: [
            *(str(Path(python).parent / "gunicorn"), "-k", "gthread", "--threads", "4"),
            *("-b", f"127.0.0.1:{port}", "flask_app:app"),
        ],
        {"own": PLAIN_WAY},
        ("flask", "gunicorn", *FITTED_WITH),
    ),
    Peer(
        "BentoML",
        lambda python, port: [
            *(str(Path(python).parent / "bentoml"), "serve", "bento_app:Intents"),
            *("--port", str(port)),
        ],
        {"own": PLAIN_WAY},
        ("bentoml", *FITTED_WITH),
    ),
    Peer(
        "Ray Serve",
        _app("ray_app"),
        {"own": PLAIN_WAY},
        ("ray[serve]", *FITTED_WITH),
    ),
)
