"""The foreign servers on a cluster, and users who speak as each of them wants it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import requests
import yaml

from scripts.inference.clients import Answer, Ask
from tests.support.site import DOMAIN, REGISTRY, Object, Site

HERE = Path(__file__).parent
IMAGE = f"{REGISTRY}/intent-classifier:v1"  # for its Python and its packages
SERVERS = {"name": "servers", "configMap": {"name": "servers"}}
GATEWAY = {"name": "kserve-ingress-gateway", "namespace": "kserve"}
VERSIONS = {"old": 0, "good": 0, "bad": 3}  # each how many-th request fails
PLAIN = "/v1/models/plain:predict"


def servers() -> Object:
    """The ConfigMap that brings the servers into a pod."""
    data = {path.name: path.read_text() for path in HERE.glob("*.py")}
    return {**_head("v1", "ConfigMap", "servers"), "data": data}


def workload(kind: str, version: str, port: int, **service: str) -> list[Object]:
    """A Deployment and its Service."""
    name = f"{kind}-{version}"
    container = _container("talker", f"{kind}.py", VERSIONS[version])
    container["ports"] = [{"containerPort": port}]
    container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    pod = {"containers": [container], "volumes": [SERVERS]}
    template = {"metadata": {"labels": {"run": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"run": name}}, "template": template}
    ports = [{"port": 80, "targetPort": port, **service}]
    return [
        {**_head("apps/v1", "Deployment", name), "spec": spec},
        {
            **_head("v1", "Service", name),
            "spec": {"selector": {"run": name}, "ports": ports},
        },
    ]


def route(kind: str, canary: str, host: str) -> Object:
    """A route with a rule that is not to be touched, and one to split."""
    stable = {"name": f"{kind}-old", "port": 80}
    refs = [{**stable, "weight": 100}, {"name": canary, "port": 80, "weight": 0}]
    path = {"path": {"type": "Exact", "value": "/untouched"}}
    rules = [
        {"matches": [path], "backendRefs": [stable]},
        {"matches": [{"path": {"value": "/"}}], "backendRefs": refs},
    ]
    spec = {"parentRefs": [GATEWAY], "hostnames": [host], "rules": rules}
    return {
        **_head("gateway.networking.k8s.io/v1", "HTTPRoute", canary),
        "spec": spec,
    }


def plain(failing: int, percent: int | None) -> Object:
    """The InferenceService with a plain kserve.Model."""
    return _service("plain", "model.py", failing, percent)


def talk(percent: int | None) -> Object:
    """An InferenceService whose one port speaks gRPC."""
    found = _service("talk", "talk.py", 0, percent)
    (container,) = found["spec"]["predictor"]["containers"]
    container["ports"] = [{"name": "h2c", "containerPort": 6000}]
    return found


def _service(name: str, script: str, failing: int, percent: int | None) -> Object:
    container = _container("kserve-container", script, failing)
    container["env"].append({"name": "RELEASE", "value": f"{failing}/{percent}"})
    predictor = {"containers": [container], "volumes": [SERVERS]}
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent  # type: ignore[assignment]
    head = _head("serving.kserve.io/v1beta1", "InferenceService", name)
    return {**head, "spec": {"predictor": predictor}}


def apply(site: Site, *documents: Object) -> None:
    """Apply all of them."""
    site.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(documents))


def over_http(url: str, host: str) -> Callable[[], Ask]:
    """Users who POST a text."""

    def connect() -> Ask:
        session = requests.Session()
        session.headers["Host"] = host
        return partial(_post, session, url)

    return connect


def over_grpc(address: str, host: str) -> Callable[[], Ask]:
    """Users who call echo.Echo/Say."""

    def connect() -> Ask:
        options = [("grpc.default_authority", host)]
        channel = grpc.insecure_channel(address, options)
        return partial(_call, channel.unary_unary("/echo.Echo/Say"))

    return connect


def is_served(users: Callable[[], Ask]) -> bool:
    """Whether the stable answers whom the gateway sends to it."""
    try:
        return not users()("hello").error
    except requests.ConnectionError:
        return False


def host_of(name: str, site: Site) -> str:
    """The name by which users ask."""
    return f"{name}.{site.namespace}.{DOMAIN}"


def _head(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _container(name: str, script: str, failing: int) -> Object:
    return {
        "name": name,
        "image": IMAGE,
        "command": ["python", f"/servers/{script}"],
        "env": [{"name": "FAILING", "value": str(failing)}],
        "volumeMounts": [{"name": "servers", "mountPath": "/servers"}],
        "resources": {"requests": {"cpu": "10m"}},
    }


def _post(session: requests.Session, url: str, text: str) -> Answer:
    answer = session.post(url, json={"instances": [text]}, timeout=10)
    code = str(answer.status_code)
    took = 1000 * answer.elapsed.total_seconds()
    return Answer(text, "", 1.0, "", "", code, took, "" if answer.ok else code)


def _call(say: Callable[..., bytes], text: str) -> Answer:
    try:
        say(text.encode(), timeout=10)
    except grpc.RpcError as error:
        code = error.code().name
        return Answer(text, "", 0.0, "", "", code, 0.0, code)
    return Answer(text, "", 1.0, "", "", "OK", 0.0)
