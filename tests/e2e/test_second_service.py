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
from scripts.rollout.errors import Exit
from tests.support.backends import intent
from tests.support.cluster_stage import PROMOTER, ClusterStage
from tests.support.site import DOMAIN, site
from tests.support.stage import POLICY, check_answered, texts
from tests.support.waiting import until

RPS = 20.0
LONGER = POLICY.replace("step: 60s, rollout: 90s", "step: 200s, rollout: 250s")
LONGER += "pauseAt: [10]\n"
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
        """A policy that gives both time enough."""
        path = self.folder / f"{self.name}.yaml"
        where = f"namespace: {self.backend.namespace}, backend: knative"
        target = f"{{inferenceservice: {self.name}, {where}}}"
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

    def says(self, words: str) -> bool:
        """Whether `explain` says so."""
        return words in self.verb("explain", self.name)[1]

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
        code, said = bot.verb("run", "-f", bot.own_policy(), "--in-cluster")
        assert code == 2, said
        assert "support-bot-canary not found; first: " in said
        printed = bot.manifests("support-bot", "-f", bot.own_policy())
        bot.create(printed)
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
        until(lambda: bot.says("APPROVAL"), 90, bot.log)
        bot.forbid()  # no counters of Kourier's for a while
        until(lambda: bot.says("cannot list resource"), shown=bot.log)
        bot.create("---".join(e for e in printed.split("---") if "kind: Job" not in e))
        for each in (bot, faq):
            until(partial(each.says, "APPROVAL"), 90, each.log)
            code, said = each.verb("approve", each.name)
            assert (code, said) == (0, "10 % approved\n")
        bot.ended()
        faq.ended()
    for answers in (bots, questions):
        check_answered(answers)
    forbidden = [line for line in bot.log().splitlines() if "cannot list" in line]
    assert len([line for line in forbidden if line[0] != "{"]) == 1
    images = json.loads(faq.backend.kubectl("get", "pods", "-o", "json"))["items"]
    used = {e["spec"]["containers"][0]["image"] for e in images}
    assert PROMOTER in used


def test_a_service_that_is_deleted_ends_its_job_once_with_what_is_left(
    tmp_path: Path,
) -> None:
    with site(tmp_path) as backend:
        bot = Service(backend, tmp_path).begin("bot")
        try:
            with bot.asked():
                bot.permit("bot")
                job = ("run", "-f", bot.own_policy(), "--in-cluster", "--image")
                code, said = bot.verb(*job, "dev.local/nothing:v0")
                assert code == 2, said
                assert "does not start" in said
                backend.kubectl("delete", "job", "--all")
                bot.create(bot.manifests("bot", "-f", bot.own_policy()))
                until(lambda: bot.says("APPROVAL"), 90, bot.log)
                backend.kubectl("delete", "isvc", "bot", "--wait=false")
                label = ("-l", "app.kubernetes.io/instance=bot")
                failed = ("wait", "--for=condition=Failed", "job", "--timeout=90s")
                backend.kubectl(*failed, *label)
            assert "InferenceService" in bot.log()
            assert "was deleted" in bot.log()
            pods = json.loads(backend.kubectl("get", "pods", *label, "-o", "json"))
            (pod,) = pods["items"]
            (container,) = pod["status"]["containerStatuses"]
            assert container["state"]["terminated"]["exitCode"] == Exit.GONE
        finally:
            bot.forbid()
