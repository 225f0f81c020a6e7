"""What the service gets, the template and the real image: `make homes`.

uv fetches cfn-lint into an environment of its own. The image is that of `make image`,
started as SageMaker starts it, and as it is shipped.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scripts.local.processes import ROOT
from tests.support.predictors import MODELS
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
LINT = "cfn-lint==1.58.0"
IMAGE = "localhost/intent-classifier:v1"
# The service's own limit, after SIGTERM.
GRACE_S = 30
AS = {
    "as the service starts it": ("--user=root",),
    "as shipped": ("--read-only", "--cap-drop=all"),
}
ASKED = """
import sys, urllib.request
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
headers = {"Content-Type": "text/csv", "Accept": "application/jsonlines"}
request = urllib.request.Request("http://127.0.0.1:8080" + sys.argv[1], body, headers)
with urllib.request.urlopen(request, timeout=60) as answer:
    print(answer.status, answer.read().decode())
"""


@dataclass(frozen=True)
class Container:
    """One of the predictor's."""

    name: str

    def asked(self, *args: str) -> str:
        """What it answers to a GET of a path, or to a POST of a body."""
        command = ["podman", "exec", self.name, "python", "-c", ASKED, *args]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()


@pytest.fixture(params=AS)
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    """The image with `serve`, and a model where the service unpacks it."""
    podman = shutil.which("podman")
    if podman is None or _ran("podman", "image", "exists", IMAGE).returncode:
        pytest.skip(f"needs {IMAGE}")
    pin = json.loads((MODELS / "v1" / "metadata.json").read_text())["sha256"]
    model = (f"--volume={MODELS / 'v1'}:/opt/ml/model:ro", f"--env=MODEL_SHA256={pin}")
    options = ("--detach", "--network=none", "--ulimit=nofile=4096:4096", *model)
    limits = ("--ulimit=nproc=4096:4096", *AS[request.param])
    run = _ran("podman", "run", *options, *limits, IMAGE, "serve")
    assert run.returncode == 0, run.stderr
    started = Container(run.stdout.strip())
    try:
        yield started
    finally:
        _ran("podman", "rm", "-f", started.name)


def _ran(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True)


def test_the_real_image_keeps_the_contract_and_ends_in_time(
    container: Container,
) -> None:
    until(lambda: container.asked("/ping").startswith("200"), 120)
    answer = container.asked("/invocations", "hello\nhi\n")
    rows = [json.loads(line) for line in answer.removeprefix("200 ").splitlines()]
    assert [row["label"] for row in rows] == ["greeting", "greeting"]
    stopped = _ran("podman", "stop", f"--time={GRACE_S}", container.name)
    assert stopped.returncode == 0, stopped.stderr
    # Whoever has to be killed has another code.
    code = _ran("podman", "inspect", "--format={{.State.ExitCode}}", container.name)
    assert code.stdout.strip() == "0"


def test_cfn_lint_has_nothing_to_say_about_the_template() -> None:
    lint = [sys.executable, "-m", "uv", "tool", "run", "--from", LINT, "cfn-lint"]
    template = str(ROOT / "manifests" / "sagemaker" / "template.yaml")
    done = _ran(*lint, template)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
