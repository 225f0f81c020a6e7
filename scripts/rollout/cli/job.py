"""`run --in-cluster`: run the rollout in a Job made from the shipped manifest."""

from importlib import resources

import yaml

from scripts.rollout.cli.options import Common, emit
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.policy.policy import Policy


def start(policy: Policy, text: str, image: str | None, common: Common) -> Exit:
    """Write the policy to a ConfigMap and create the Job, without waiting for it."""
    if policy.backend.journal != "configmap":
        backend = policy.target.backend
        raise RolloutError(f"target.backend: {backend} is this machine, not a cluster")
    cluster, target = Cluster.of(common.context), policy.target
    name = f"{target.name}-rollout"
    _keep(cluster, target.namespace, f"{name}-policy", text)
    job = _job(name, image)
    jobs = f"/apis/batch/v1/namespaces/{target.namespace}/jobs"
    created = cluster.create(jobs, job)["metadata"]["name"]
    where = f"-n {target.namespace}"
    said = [
        f"job {created} created; how it goes, and how to steer it:",
        f"  kubectl {where} logs -f job/{created}",
        f"  python -m scripts.canary status {where} --cluster {target.name}",
    ]
    emit(common.output, {"job": created}, "\n".join(said))
    return Exit.PROMOTED


def _keep(cluster: Cluster, namespace: str, name: str, text: str) -> None:
    folder = f"/api/v1/namespaces/{namespace}/configmaps"
    content: Object = {"data": {"rollout.yaml": text}}
    found = cluster.find(f"{folder}/{name}")
    if found is None:
        kind = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        cluster.create(folder, {**kind, **content})
        return
    cluster.patch(f"{folder}/{name}", found, content)


def _job(name: str, image: str | None) -> Object:
    manifest = resources.files("scripts.rollout.cluster") / "job.yaml"
    job: Object = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    job["metadata"]["generateName"] = f"{name}-"
    pod = job["spec"]["template"]["spec"]
    pod["volumes"][0]["configMap"]["name"] = f"{name}-policy"
    if image:
        pod["containers"][0]["image"] = image
    return job
