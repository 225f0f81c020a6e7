"""The status of an InferenceService, field by field as KServe reports it. Pure."""

from dataclasses import dataclass
from typing import Any

from scripts.local import manifest
from scripts.local.container import Object
from scripts.local.envoy_config import host_name
from scripts.local.rules import State, Target


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: True, False or Unknown, with KServe's reason and a message."""

    status: str
    reason: str = ""
    message: str = ""

    def __and__(self, other: "Condition") -> "Condition":
        """Return the worse of two: False before Unknown before True."""
        return min(self, other, key=lambda each: ORDER.index(each.status))


ORDER = ("False", "Unknown", "True")
TRUE = Condition("True")


def render(
    document: Object, state: State, failure: str | None, before: Object, now: str
) -> Object:
    """Return the status; `failure` is why the newest revision missed its deadline.

    `before` is the previous status, so that a condition keeps its transition time;
    `now` is the new one's.
    """
    host = host_name(document["metadata"]["name"], manifest.namespace(document))
    configuration = _configuration(state, failure)
    route = _route(state)
    ready = configuration & route
    conditions = {
        "IngressReady": route,
        "LatestDeploymentReady": configuration,
        "PredictorConfigurationReady": configuration,
        "PredictorReady": ready,
        "PredictorRouteReady": route,
        "Ready": ready,
        "RoutesReady": route,
    }
    predictor = {
        "address": {"url": f"http://{host}"},
        "latestCreatedRevision": state.latest_created,
        "latestReadyRevision": state.latest_ready,
        "latestRolledoutRevision": state.latest_rolledout,
        "previousRolledoutRevision": state.previous_rolledout,
        "traffic": [_target(target, host) for target in state.routed],
        "url": f"http://{host}",
    }
    return {
        "address": {"url": f"http://{host}"},
        "components": {
            "predictor": {key: value for key, value in predictor.items() if value}
        },
        "conditions": _conditions(conditions, before, now),
        "deploymentMode": "Knative",
        "modelStatus": _model_status(configuration),
        "observedGeneration": state.generation,
        "url": f"http://{host}",
    }


def _configuration(state: State, failure: str | None) -> Condition:
    if state.latest_created == state.latest_ready:
        return TRUE
    if failure is None:
        return Condition("Unknown", "RevisionMissing", "")
    message = f'Revision "{state.latest_created}" failed with message: {failure}.'
    return Condition("False", "RevisionFailed", message)


def _route(state: State) -> Condition:
    asked = [(target.percent, target.tag) for target in state.asked]
    routed = [(target.percent, target.tag) for target in state.routed]
    named = all(
        target.revision in ("", there.revision)
        for target, there in zip(state.asked, state.routed, strict=False)
    )
    if asked == routed and named:
        return TRUE
    return Condition("Unknown", "TrafficMissing", "traffic is not as asked yet")


def _target(target: Target, host: str) -> Object:
    entry: Object = {
        "latestRevision": target.is_latest,
        "percent": target.percent,
        "revisionName": target.revision,
    }
    if target.tag:
        entry |= {"tag": target.tag, "url": f"http://{target.tag}-{host}"}
    return entry


def _conditions(
    conditions: dict[str, Condition], before: Object, now: str
) -> list[dict[str, Any]]:
    known = {each["type"]: each for each in before.get("conditions", ())}
    entries = []
    for name, condition in conditions.items():
        entry = {
            "lastTransitionTime": now,
            "message": condition.message,
            "reason": condition.reason,
            "status": condition.status,
            "type": name,
        }
        old = known.get(name)
        if old is not None and old["status"] == condition.status:
            entry["lastTransitionTime"] = old["lastTransitionTime"]
        entries.append({key: value for key, value in entry.items() if value})
    return entries


def _model_status(configuration: Condition) -> Object:
    state, transition = {
        "True": ("Loaded", "UpToDate"),
        "Unknown": ("Loading", "InProgress"),
        "False": ("FailedToLoad", "BlockedByFailedLoad"),
    }[configuration.status]
    return {"states": {"targetModelState": state}, "transitionStatus": transition}


def is_ready(status: Object) -> bool | None:
    """Return whether Ready is True; None while it is Unknown."""
    return {"True": True, "False": False}.get(_ready(status).get("status", ""))


def message(status: Object) -> str:
    """Return why the InferenceService is not Ready."""
    ready = _ready(status)
    return str(ready.get("message") or ready.get("reason") or "not observed yet")


def _ready(status: Object) -> Object:
    conditions = status.get("conditions", ())
    return next((each for each in conditions if each["type"] == "Ready"), {})
