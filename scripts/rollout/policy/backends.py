"""What each value of `target.backend` means, before anything of it is imported.

A new backend is one adapter in traffic/ and one row here.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Literal

# KServe's field: 0 rolls back, its removal promotes, a stale one after that rolls back.
PERCENT_FIELD = "canaryTrafficPercent"


@dataclass(frozen=True, slots=True)
class Backend:
    """What is known of a backend.

    `adapter`: the CountedTraffic class, as module:class; wiring imports it.
    `target`: the key under `target` that names what is rolled out.
    `counted_by`: who can count its HTTP requests, the default first.
    `journal`: where its rollouts are written down.
    `settles_s`: how long a weight may take to be in force, in seconds.
    `after_promotion`: what its manifest still says, and what to do about it.
    `manifest_field`: what `run --write-manifest` removes after a promotion, or "".
    """

    adapter: str
    target: Literal["inferenceservice", "route"]
    counted_by: tuple[str, ...]
    journal: Literal["folder", "configmap"]
    settles_s: float
    after_promotion: str
    manifest_field: str = ""


_PERCENT_IS_STALE = (
    f"remove {PERCENT_FIELD} from its manifest before that is applied again: after a "
    "promotion it means back (run --write-manifest FILE does it)"
)
# `settles_s` of 5: a route takes about two; what takes longer the next look sees.
BACKENDS: MutableMapping[str, Backend] = {
    "local": Backend(
        adapter="scripts.rollout.traffic.local:LocalTraffic",
        target="inferenceservice",
        counted_by=("gateway", "predictor"),
        journal="folder",
        settles_s=5.0,
        after_promotion=_PERCENT_IS_STALE,
        manifest_field=PERCENT_FIELD,
    ),
    "knative": Backend(
        adapter="scripts.rollout.traffic.knative:KnativeTraffic",
        target="inferenceservice",
        counted_by=("gateway", "queue-proxy", "predictor"),
        journal="configmap",
        settles_s=5.0,
        after_promotion=_PERCENT_IS_STALE,
        manifest_field=PERCENT_FIELD,
    ),
    "gateway": Backend(
        adapter="scripts.rollout.traffic.gateway:GatewayTraffic",
        target="route",
        counted_by=("predictor",),
        journal="configmap",
        settles_s=5.0,
        after_promotion="write these weights into the route's manifest before that is "
        "applied again: the old ones mean back",
    ),
    "standard": Backend(
        adapter="scripts.rollout.traffic.standard:StandardTraffic",
        target="inferenceservice",
        counted_by=("predictor",),
        journal="configmap",
        settles_s=5.0,
        after_promotion="make the canary the predictor in its manifest before that is "
        "applied again: the old one means back",
    ),
}
