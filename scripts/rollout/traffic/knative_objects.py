"""What the objects of KServe and Knative say of revisions and of their split."""

from collections import Counter

from scripts.rollout.cluster.client import Object, why_not
from scripts.rollout.policy.backends import PERCENT_FIELD

REVISION = "serving.knative.dev/revision"
STORED = "internal.serving.kserve.io/storage-initializer-sourceuri"


def known(document: Object) -> Object:
    """Return what an InferenceService's status says of the predictor's revisions."""
    found: Object = (
        document.get("status", {}).get("components", {}).get("predictor", {})
    )
    return found


def created(document: Object) -> str:
    """Return the newest revision, "" where there is none."""
    return str(known(document).get("latestCreatedRevision", ""))


def template(document: Object) -> Object:
    """Return what an InferenceService makes a revision of."""
    predictor = document["spec"]["predictor"]
    return {name: predictor[name] for name in predictor if name != PERCENT_FIELD}


def is_made(document: Object, service: Object) -> bool:
    """Return whether the newest revision is one of the template that is set.

    It is not while KServe has not copied the template to the Knative Service, nor while
    its status names a revision older than the Knative Service's.
    """
    status = service.get("status", {})
    newest = created(document)
    if status.get("latestCreatedRevisionName", newest) != newest:
        return False
    made = service.get("spec", {}).get("template", {})
    annotations = made.get("metadata", {}).get("annotations", {})
    containers = {
        each.get("name"): each for each in made.get("spec", {}).get("containers", ())
    }
    predictor = document["spec"]["predictor"]
    stored = predictor.get("model", {}).get("storageUri")
    is_stored = stored in (None, annotations.get(STORED, stored))
    return is_stored and all(
        _is_copied(mine, containers[mine.get("name")])
        for mine in predictor.get("containers", ())
        if mine.get("name") in containers
    )


def _is_copied(mine: Object, made: Object) -> bool:
    """Compare what tells versions apart; KServe adds variables of its own."""
    as_is = all(
        made.get(part) == mine.get(part) for part in ("image", "command", "args")
    )
    return as_is and all(each in made.get("env", ()) for each in mine.get("env", ()))


def routed(service: Object) -> dict[str, int]:
    """Return each revision's percent, {} until Knative has observed the generation."""
    status = service.get("status", {})
    if status.get("observedGeneration") != service["metadata"]["generation"]:
        return {}
    found: Counter[str] = Counter()
    for target in status.get("traffic", ()):
        found[target["revisionName"]] += target.get("percent", 0)
    return dict(found)


def blocked(service: Object) -> str:
    """Return why the newest split is not routed, "" if it is.

    While a revision of the split is not ready (it crashed after its start, say),
    Knative leaves the route unchanged, even for a rollback.
    """
    return why_not(service.get("status", {}), "RoutesReady")


def of_pod(pod: Object) -> str:
    """Return the revision of a pod, "" of one that has none."""
    return str(pod["metadata"]["labels"].get(REVISION, ""))
