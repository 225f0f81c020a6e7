"""Two services of other names in two namespaces, promoted beside each other by Jobs.

All that their promoters need is what `manifests` prints, or writes for kustomize.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import pytest

from scripts.inference.clients import Answer, Target, connect
from scripts.inference.load import steady
from tests.support.backends import intent
from tests.support.cluster_stage import PROMOTER, ClusterStage
from tests.support.site import DOMAIN, site
from tests.support.stage import POLICY, check_answered, texts
from tests.support.waiting import until

RPS = 20.0
LONGER = POLICY.replace("step: 60s, rollout: 90s", "step: 200s, rollout: 250s")
SHARED = ("kourier-system", "knative-serving")


class Service(ClusterStage):
    """One InferenceService of any name, with its users."""

    name = ""

    def begin(self, name: str) -> "Service":
        """A stable, and beside it a canary at 0 percent."""
        self.name = name
        self.backend.host = f"{name}-predictor.{self.backend.namespace}.{DOMAIN}"
        for version, percent in (("v1", None), ("v2", 0)):
            document = intent(version, percent)
            document["metadata"]["name"] = name
            self.backend.apply(document)
            self.backend.kubectl("wait", "--for=condition=Ready", f"isvc/{name}")
        return self

    def own_policy(self) -> str:
        """A policy that names no namespace."""
        path = self.folder / f"{self.name}.yaml"
        target = f"{{inferenceservice: {self.name}, backend: knative}}"
        path.write_text(f"target: {target}\n{LONGER}")
        return str(path)

    def asked(self) -> AbstractContextManager[list[Answer]]:
        """Its users."""
        there = Target(self.backend.url, self.backend.host, "intent")
        return steady(partial(connect, "v2", there), texts(), RPS, concurrency=4)

    def may(self, verb: str, what: str, namespace: str) -> bool:
        """Whether its promoter has this right."""
        account = f"{self.backend.namespace}:{self.name}-canary"
        command = ["kubectl", "auth", "can-i", verb, what, "-n", namespace]
        done = subprocess.run(
            [*command, "--as", f"system:serviceaccount:{account}"], capture_output=True
        )
        return done.returncode == 0

    def has_begun(self) -> bool:
        """Whether its promoter has written its journal."""
        names = self.backend.kubectl("get", "configmap", "-o", "name").split()
        return f"configmap/{self.name}-rollout" in names

    def ended(self) -> None:
        """Its Job promoted the canary and says so."""
        code, said = self.verb("status", self.name, "--wait", "--timeout", "100")
        assert code == 0, said + self.log()
        label = "app.kubernetes.io/instance=" + self.name
        self.backend.kubectl("wait", "--for=condition=Complete", "job", "-l", label)
        predictor = self.backend.get(self.name)["spec"]["predictor"]
        assert "canaryTrafficPercent" not in predictor

    def log(self) -> str:
        """What its promoter's pods printed."""
        label = f"app.kubernetes.io/instance={self.name}"
        return self.backend.kubectl("logs", "-l", label, "--tail=-1")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[tuple[Service, Service]]:
    """A bot in one namespace and answers to questions in another."""
    with ExitStack() as until_then:
        found = []
        for name in ("support-bot", "faq"):
            folder = tmp_path / name
            folder.mkdir()
            service = Service(until_then.enter_context(site(folder)), folder)
            until_then.callback(service.forbid)
            found.append(service.begin(name))
        yield found[0], found[1]


@pytest.mark.timeout(280)
def test_a_second_services_promoter_takes_no_rights_from_the_first(
    services: tuple[Service, Service],
) -> None:
    bot, faq = services
    with bot.asked() as bots, faq.asked() as questions:
        bot.create(bot.manifests("support-bot", "-f", bot.own_policy()))
        until(bot.has_begun, 90, bot.log)
        folder = faq.folder / "promotion"
        faq.manifests("faq", "-f", faq.own_policy(), "--folder", str(folder))
        for part in ("-k", folder), ("-k", folder / "knative"):
            subprocess.run(["kubectl", "apply", *map(str, part)], check=True)
        subprocess.run(
            ["kubectl", "create", "-f", str(folder / "job.yaml")], check=True
        )
        for each in (bot, faq):
            assert all(each.may("list", "pods", shared) for shared in SHARED)
            others = f"inferenceservices/{'faq' if each is bot else 'support-bot'}"
            assert not each.may("patch", others, each.backend.namespace)
        bot.ended()
        faq.ended()
    for answers in (bots, questions):
        check_answered(answers)
    assert "promoted" in bot.log()
    images = json.loads(faq.backend.kubectl("get", "pods", "-o", "json"))["items"]
    used = {e["spec"]["containers"][0]["image"] for e in images}
    assert PROMOTER in used
