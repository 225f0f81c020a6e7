"""The control calls against moto, which is another's idea of SageMaker: `make homes`.

uv fetches it into an environment of its own: it brings sixty packages.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from scripts.local.processes import ROOT, free_ports
from scripts.rollout.errors import NotFound
from scripts.rollout.metrics.cloudwatch.aws import Client
from scripts.rollout.metrics.cloudwatch.ledger import Ledger
from scripts.rollout.traffic.sagemaker import SagemakerTraffic
from tests.support import commands
from tests.support.sagemaker_home import environment
from tests.support.waiting import until

MOTO = "moto[server]==5.2.5"
IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/intent@sha256:{'a' * 64}"
VARIANTS = (("stable", "v1", 4, 100.0), ("canary", "v2", 1, 0.0))


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/", timeout=1).ok
    except requests.RequestException:
        return False


@pytest.fixture
def moto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto's server, and boto3 asking it."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uv", "tool", "run", "--from", MOTO]
    url, log = f"http://127.0.0.1:{port}", tmp_path / "moto.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "moto_server", "-H", "127.0.0.1", "-p", str(port)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    for name, value in environment(url).items():
        monkeypatch.setenv(name, value)
    try:
        until(lambda: _answers(url), 110, log.read_text)
        yield
    finally:
        commands.end(server)


@pytest.mark.usefixtures("moto")
@pytest.mark.timeout(240)
def test_motos_endpoint_is_understood_and_steered(tmp_path: Path) -> None:
    ask = Client("sagemaker")
    for _, version, _, _ in VARIANTS:
        ask(
            "create_model",
            ModelName=f"intent-{version}",
            ExecutionRoleArn="arn:aws:iam::123456789012:role/container",
            PrimaryContainer={"Image": IMAGE},
        )
    ask(
        "create_endpoint_config",
        EndpointConfigName="config",
        ProductionVariants=[
            {
                "VariantName": name,
                "ModelName": f"intent-{version}",
                "InstanceType": "ml.c5.large",
                "InitialInstanceCount": count,
                "InitialVariantWeight": weight,
            }
            for name, version, count, weight in VARIANTS
        ],
    )
    ask("create_endpoint", EndpointName="intent", EndpointConfigName="config")
    others = Client("sagemaker-runtime"), Client("cloudwatch")
    ledger = Ledger(tmp_path / "intent.json")
    traffic = SagemakerTraffic("intent", ask, *others, ledger)
    view = traffic.observe()
    assert (view.created, view.rolledout) == ("canary-intent-v2", "stable-intent-v1")
    for percent, expected in ((50, 0), (50, 50), (0, 0)):
        traffic.set_weight(percent)
        view = traffic.observe()
        assert (view.percent, view.routed["canary-intent-v2"]) == (expected, expected)
    with pytest.raises(NotFound, match="Could not find"):
        SagemakerTraffic("other", ask, *others, ledger)
