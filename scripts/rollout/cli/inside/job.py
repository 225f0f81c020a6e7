"""`run --in-cluster`: run the rollout in a Job made from the shipped manifest."""

import time

from scripts.rollout.cli.options import Common, emit
from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.cluster.promoter.render import IMAGE, KINDS, POLICY_FILE, Promoter
from scripts.rollout.errors import (
    ApiError,
    Exit,
    Forbidden,
    NotFound,
    RemoteError,
    RolloutError,
)
from scripts.rollout.policy.policy import Policy

JOB_NAME = "batch.kubernetes.io/job-name"
# What a container waits for until a person changes something.
STUCK = (
    *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
    *("CreateContainerConfigError", "RunContainerError"),
)
STARTS_S, POLL_S = 30.0, 0.5  # a pod that waits longer, for a node say, may still come
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def start(policy: Policy, text: str, image: str | None, common: Common) -> Exit:
    """Write the policy to a ConfigMap, create the Job, wait until its pod starts."""
    backend, target = policy.target.backend, policy.target
    if policy.backend.journal != "configmap":
        where = policy.backend.promoter
        raise RolloutError(f"--in-cluster: the promoter of {backend} runs {where}")
    if backend not in KINDS:  # another backend's Job is the same, its rights are not
        backend = next(iter(KINDS))
    cluster = Cluster.of(common.context)
    named = Promoter(target.name, target.namespace, backend, text, image or IMAGE)
    job = named.job()
    _check(cluster, named, job)
    _keep(cluster, target.namespace, named.policy_map, text)
    jobs = f"/apis/batch/v1/namespaces/{target.namespace}/jobs"
    created = cluster.create(jobs, job)["metadata"]["name"]
    has_started = _has_started(cluster, target.namespace, created)
    where = f"-n {target.namespace}"
    said = [
        f"job {created} {'has started' if has_started else 'waits for its pod'}; how "
        "it goes, and how to steer it:",
        f"  kubectl {where} logs -f job/{created}",
        f"  python -m scripts.canary status {where} --cluster {target.name}",
    ]
    emit(common.output, {"job": created}, "\n".join(said))
    return Exit.PROMOTED


def _check(cluster: Cluster, named: Promoter, job: Object) -> None:
    """Raise RolloutError where the Job could be created and its pod could not.

    The API server admits a pod as it would (account, quota, pod security), and keeps
    none. Whoever may create Jobs alone is not asked for more.
    """
    space = f"/api/v1/namespaces/{named.namespace}"
    try:
        cluster.get(f"{space}/serviceaccounts/{named.account}")
    except NotFound as error:
        of = f"{named.name} -n {named.namespace} --backend {named.backend}"
        raise RolloutError(
            f"ServiceAccount {named.namespace}/{named.account} not found; first: "
            f"python -m scripts.canary manifests {of} | kubectl apply -f -"
        ) from error
    except Forbidden:
        pass  # the pod's own admission looks for it too
    if not _may_create_pods(cluster, named.namespace):
        return
    template = job["spec"]["template"]
    metadata = {**template["metadata"], "generateName": f"{named.name}-rollout-"}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]}
    try:
        cluster.create(f"{space}/pods?dryRun=All", {**pod, "metadata": metadata})
    except ApiError as error:
        raise RolloutError(f"the Job's pod could not start: {error}") from error


def _has_started(cluster: Cluster, namespace: str, job: str) -> bool:
    """Wait for the Job's container. Raises RolloutError if it cannot start as it is."""
    deadline = time.monotonic() + STARTS_S
    while time.monotonic() < deadline:
        try:
            found = pods.find_pods(cluster, namespace, {JOB_NAME: job})
        except RemoteError:
            return False  # whoever may not see pods reads the Job's log
        states = [
            status["state"]
            for pod in found
            for status in pod.get("status", {}).get("containerStatuses", ())
        ]
        for waiting in (each["waiting"] for each in states if "waiting" in each):
            if waiting.get("reason") in STUCK:
                why = waiting.get("message") or waiting["reason"]
                ends = f"kubectl -n {namespace} delete job {job}"
                raise RolloutError(
                    f"job {job} does not start: {why}; it goes on trying until: {ends}"
                )
        if any("waiting" not in each for each in states):
            return True
        time.sleep(POLL_S)
    return False


def _may_create_pods(cluster: Cluster, namespace: str) -> bool:
    asked = {"namespace": namespace, "verb": "create", "resource": "pods"}
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    review = {**kind, "spec": {"resourceAttributes": asked}}
    return bool(cluster.create(REVIEWS, review)["status"]["allowed"])


def _keep(cluster: Cluster, namespace: str, name: str, text: str) -> None:
    folder = f"/api/v1/namespaces/{namespace}/configmaps"
    content: Object = {"data": {POLICY_FILE: text}}
    found = cluster.find(f"{folder}/{name}")
    if found is None:
        kind = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        cluster.create(folder, {**kind, **content})
        return
    cluster.patch(f"{folder}/{name}", found, content)
