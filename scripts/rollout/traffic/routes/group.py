"""Two LLMInferenceServices of one group: the members, their weights, their shared rule.

Written after KServe's design (issue 5725); no release here carries these fields.
"""

from collections.abc import Sequence
from typing import NamedTuple

from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import RolloutError
from scripts.rollout.traffic.routes import httproute

WEIGHT = "spec", "router", "route", "weight"


class Group(NamedTuple):
    """The two members of a group, as objects with their resourceVersions."""

    stable: Object
    canary: Object

    @property
    def percent(self) -> int:
        """Return the canary's share of both weights, which are relative."""
        weights = [_route_of(each).get("weight", 0) for each in self]
        return round(100 * weights[1] / sum(weights)) if sum(weights) else 0


def services_path(namespace: str) -> str:
    """Return the API path of a namespace's LLMInferenceServices."""
    place = f"namespaces/{namespace}/llminferenceservices"
    return f"/apis/serving.kserve.io/v1alpha1/{place}"


def member_path(namespace: str, name: str) -> str:
    """Return the API path of one LLMInferenceService."""
    return f"{services_path(namespace)}/{name}"


def route_name(member: str) -> str:
    """Return the name of the HTTPRoute that KServe makes for a member."""
    return f"{member}-kserve-route"


def members(cluster: Cluster, namespace: str, canary: str) -> Group:
    """Return both members. Raises RolloutError unless there are two, or RemoteError."""
    every: Sequence[Object] = cluster.get(services_path(namespace))["items"]
    mine = [each for each in every if _name(each) == canary]
    group = _route_of(mine[0]).get("group") if mine else None
    if group is None:
        raise RolloutError(
            f"LLMInferenceService {canary}: expected spec.router.route.group, by which "
            "it shares its traffic with the stable"
        )
    beside = [each for each in every if _route_of(each).get("group") == group]
    others = [each for each in beside if _name(each) != canary]
    if len(others) != 1:
        names = ", ".join(map(_name, others)) or "none"
        raise RolloutError(
            f"LLMInferenceService {canary}: expected one other member of group "
            f"{group}, the stable, got {names}"
        )
    return Group(others[0], mine[0])


def shared_rule(route: Object, canary: str) -> Object:
    """Return the rule that splits, with the canary's backend behind the stable's."""
    rule = httproute.rule(route)
    ordered = sorted(httproute.backends(rule), key=lambda ref: _is_of(ref, canary))
    return {**rule, "backendRefs": ordered}


def set_weights(cluster: Cluster, namespace: str, group: Group, percent: int) -> None:
    """Set both members' weights, each on its resourceVersion. Raises RemoteError."""
    for member, weight in ((group.canary, percent), (group.stable, 100 - percent)):
        change = {"spec": {"router": {"route": {"weight": weight}}}}
        cluster.patch(member_path(namespace, _name(member)), member, change)


def _name(member: Object) -> str:
    return str(member["metadata"]["name"])


def _is_of(reference: Object, member: str) -> bool:
    return str(reference["name"]) == f"{member}-inference-pool"


def _route_of(member: Object) -> Object:
    found: Object = member["spec"].get("router", {}).get("route", {})
    return found
