"""`manifests`: one source for the command and for manifests/promotion, any name."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.canary import main
from scripts.local.processes import ROOT
from scripts.rollout.cluster.promoter.render import KINDS, Promoter
from scripts.rollout.policy import reader

SHIPPED = ROOT / "manifests" / "promotion"
SHARED = ("kourier-system", "knative-serving")
Objects = dict[tuple[str, str, str], dict[str, Any]]
Captured = pytest.CaptureFixture[str]


def _printed(capsys: Captured, *args: str) -> Objects:
    assert main(["manifests", *args]) == 0
    return _objects(capsys.readouterr().out)


def _objects(text: str) -> Objects:
    found: Objects = {}
    for each in yaml.safe_load_all(text):
        metadata = each["metadata"]
        name = metadata.get("name") or metadata["generateName"]
        key = (each["kind"], metadata["namespace"], name)
        assert key not in found
        found[key] = each
    return found


def _without_job(found: Objects) -> Objects:
    return {key: each for key, each in found.items() if key[0] != "Job"}


def test_the_shipped_folder_is_what_the_command_writes(tmp_path: Path) -> None:
    found = Promoter("intent", "default").folder("manifests/promotion")
    shipped = {str(p.relative_to(SHIPPED)): p for p in SHIPPED.rglob("*.yaml")}
    assert set(found) == set(shipped)
    for name, path in shipped.items():
        same = path.read_text() == found[name]
        command = "manifests intent --folder manifests/promotion"
        assert same, f"python -m scripts.canary {command}"
    assert main(["manifests", "chat", "--folder", str(tmp_path / "chat")]) == 0
    assert (tmp_path / "chat" / "knative" / "rbac.yaml").is_file()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kustomizes by kubectl")
def test_what_is_printed_is_what_the_shipped_folder_is_to_kubectl(
    capsys: Captured,
) -> None:
    built = [
        subprocess.run(
            ["kubectl", "kustomize", str(folder)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder in (SHIPPED, SHIPPED / "knative")
    ]
    printed = _without_job(_printed(capsys, "intent"))
    assert printed == _objects("---\n".join(built))


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kustomizes by kubectl")
def test_the_shipped_folder_takes_another_namespace(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "base")
    (tmp_path / "kustomization.yaml").write_text("namespace: shop\nresources: [base]\n")
    command = ["kubectl", "kustomize", str(tmp_path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = _objects(text)
    assert {namespace for _, namespace, _ in found} == {"shop"}
    (binding,) = (each for key, each in found.items() if key[0] == "RoleBinding")
    assert binding["subjects"][0]["namespace"] == "shop"
    policy = found["ConfigMap", "shop", "intent-rollout-policy"]["data"]["rollout.yaml"]
    assert not reader.is_placed(reader.parse(policy))


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kustomizes by kubectl")
def test_kubectl_takes_the_folders_from_a_git_address(tmp_path: Path) -> None:
    """Of a repository with these folders alone, at a tag, without a clone."""
    for name in ("promotion", "monitoring"):
        shutil.copytree(ROOT / "manifests" / name, tmp_path / "work" / name)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", f"{tmp_path}/work"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run([*git, *step], check=True)
    for name in ("promotion", "promotion/knative", "monitoring"):
        address = f"file://{tmp_path}/work//{name}?ref=v1"
        command = ["kubectl", "kustomize", address]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert list(yaml.safe_load_all(done.stdout))


def test_no_name_of_one_service_is_a_name_of_another(capsys: Captured) -> None:
    names = [("bot", "shop"), ("faq", "shop"), ("bot", "help"), ("intent", "default")]
    seen: set[tuple[str, str, str]] = set()
    for name, namespace in names:
        found = set(_printed(capsys, name, "-n", namespace))
        assert not seen & found
        assert {place for _, place, _ in found} == {namespace, *SHARED}
        seen |= found


@pytest.mark.parametrize("backend", KINDS)
def test_every_object_is_about_the_named_service_alone(
    backend: str, capsys: Captured
) -> None:
    assert main(["manifests", "bot", "-n", "shop", "--backend", backend]) == 0
    text = capsys.readouterr().out
    words = text.replace("intent-canary", "").replace("scripts.canary", "")
    assert "intent" not in words
    assert "default" not in words.replace("has its default", "")
    found = _objects(text)
    role = found["Role", "shop", "bot-canary"]
    for rule in role["rules"]:
        if "patch" in rule["verbs"]:
            moved = "bot-canary" if backend == "ingress-nginx" else "bot"
            assert rule["resourceNames"] in ([moved], ["bot-rollout"])
    (job,) = (each for key, each in found.items() if key[0] == "Job")
    pod = job["spec"]["template"]["spec"]
    assert ("ServiceAccount", "shop", pod["serviceAccountName"]) in found
    policy = pod["volumes"][0]["configMap"]["name"]
    assert ("ConfigMap", "shop", policy) in found
    network = found["NetworkPolicy", "shop", "bot-canary"]["spec"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert network["podSelector"]["matchLabels"].items() <= labels.items()
    given = found["ConfigMap", "shop", policy]["data"]["rollout.yaml"]
    target = reader.parse(given).target
    assert (target.name, target.backend) == ("bot", backend)
    places = {place for _, place, _ in found}
    shared = {"knative": SHARED, "gateway": ("projectcontour",)}.get(backend, ())
    assert places == {"shop", *shared}


def test_a_routes_promoter_lists_the_envoys_of_its_ingress(capsys: Captured) -> None:
    route = ("bot", "-n", "shop", "--backend", "gateway")
    found = _printed(capsys, *route, "--ingress", "envoy-gateway")
    assert ("RoleBinding", "envoy-gateway-system", "shop-bot-canary") in found
    network = found["NetworkPolicy", "shop", "bot-canary"]["spec"]
    ports = [each.get("ports") for each in network["egress"]]
    assert [{"protocol": "TCP", "port": 19001}] in ports
    assert main(["manifests", *route, "--ingress", "kourier"]) == 2
    assert "expected contour or envoy-gateway" in capsys.readouterr().err


def test_an_ingresses_promoter_asks_no_controller(
    tmp_path: Path, capsys: Captured
) -> None:
    ingress = ("bot", "-n", "shop", "--backend", "ingress-nginx")
    folder = tmp_path / "bot"
    assert main(["manifests", *ingress, "--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said == f"kubectl apply -k {folder}\nkubectl create -f {folder}/job.yaml\n"
    assert not [each for each in folder.iterdir() if each.is_dir()]
    assert "namespaces of its ingress" not in (folder / "rbac.yaml").read_text()
    assert main(["manifests", *ingress, "--ingress", "contour"]) == 2
    assert "--ingress: expected none with backend ingress" in capsys.readouterr().err


def test_each_printing_has_a_job_of_its_own(capsys: Captured) -> None:
    jobs = [
        {key for key in _printed(capsys, "bot") if key[0] == "Job"} for _ in range(2)
    ]
    assert jobs[0] != jobs[1]


def test_a_policy_of_ones_own_is_the_configmaps(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("# Ours.\ntarget: {route: bot, backend: gateway}\nsteps: [5, 50]\n")
    found = _printed(capsys, "bot", "-n", "shop", "-f", str(path))
    kept = found["ConfigMap", "shop", "bot-rollout-policy"]["data"]["rollout.yaml"]
    assert kept == path.read_text()


@pytest.mark.parametrize(
    ("target", "args", "said"),
    [
        ("{inferenceservice: a, backend: knative}", (), "expected default/bot, got"),
        (
            "{inferenceservice: bot, namespace: x, backend: knative}",
            ("-n", "shop"),
            "expected shop/bot, got knative x/bot",
        ),
        (
            "{inferenceservice: bot, backend: knative}",
            ("--backend", "gateway"),
            "expected gateway default/bot, got knative default/bot",
        ),
        ("{inferenceservice: bot}", (), "got local: its promoter runs on this machine"),
        ("{proxy: bot, backend: haproxy}", (), "got haproxy: its promoter runs on the"),
        ("{endpoint: bot, backend: sagemaker}", (), "got sagemaker: its promoter runs"),
    ],
)
def test_a_policy_about_something_else_is_refused(
    target: str, args: tuple[str, ...], said: str, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"target: {target}\n")
    assert main(["manifests", "bot", *args, "-f", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_name_that_kubernetes_would_not_take_is_refused(capsys: Captured) -> None:
    for args in (["Bot"], ["bot", "-n", "a: b"]):
        assert main(["manifests", *args]) == 2
        said = capsys.readouterr()
        assert args[-1] in said.err
        assert said.out == ""
