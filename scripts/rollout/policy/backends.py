"""One row per value of `target.backend`, without importing any adapter.

A new backend is one adapter in traffic/ and one row here.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Literal

# KServe's field: 0 rolls back, its removal promotes, a stale one after that rolls back.
PERCENT_FIELD = "canaryTrafficPercent"


@dataclass(frozen=True, slots=True)
class Backend:
    """The properties of a backend.

    `adapter`: the CountedTraffic class, as module:class; wiring imports it.
    `target`: the key under `target` that names the object to roll out.
    `counted_by`: the parts that can count its HTTP requests, the default first.
    `journal`: the place of its journals.
    `settles_s`: seconds within which a weight usually comes into force; the longest
    waits follow from it.
    `shortest_look_s`: the shortest interval that `source.interval: auto` may choose.
    `after_promotion`: the warning about its manifest, and what to do.
    `after_rollback`: what the next version must have, for the same reason.
    `again`: how a version that was taken back is tried again.
    `manifest_field`: the field that `run --write-manifest` removes, or "".
    `steered_at`: the file or socket by which its gateway is steered, or "".
    `promoter`: where its promoter runs, "" for a machine or a Job of the cluster's.
    """

    adapter: str
    target: Literal[
        "inferenceservice",
        "route",
        "ingress",
        "llminferenceservice",
        "proxy",
        "endpoint",
    ]
    counted_by: tuple[str, ...]
    journal: Literal["folder", "configmap"]
    settles_s: float
    shortest_look_s: float
    after_promotion: str
    after_rollback: str = ""
    again: str = "apply it as a new revision"
    manifest_field: str = ""
    steered_at: str = ""
    promoter: str = ""


_PERCENT_IS_STALE = (
    f"remove {PERCENT_FIELD} from its manifest before that is applied again: after a "
    "promotion it means back (run --write-manifest FILE does it)"
)
_ZERO_IS_NEEDED = (
    f"apply the next version with {PERCENT_FIELD}: 0 - without it the revision that "
    "was taken back gets everything until the new one is ready"
)
_NEW_REVISION = (
    "change anything in its spec.predictor, such as an env variable, and apply that "
    f"with {PERCENT_FIELD}: 0"
)
# `settles_s` of 5: a route takes about two; the next look sees a slower one.
# `shortest_look_s` of 1: a look on a cluster takes several requests of the API server.
BACKENDS: MutableMapping[str, Backend] = {
    "local": Backend(
        adapter="scripts.rollout.traffic.local:LocalTraffic",
        target="inferenceservice",
        counted_by=("gateway", "predictor"),
        journal="folder",
        settles_s=5.0,
        shortest_look_s=0.2,
        after_promotion=_PERCENT_IS_STALE,
        after_rollback=_ZERO_IS_NEEDED,
        again=_NEW_REVISION,
        manifest_field=PERCENT_FIELD,
        promoter="on this machine",
    ),
    "knative": Backend(
        adapter="scripts.rollout.traffic.knative:KnativeTraffic",
        target="inferenceservice",
        counted_by=("gateway", "queue-proxy", "istio", "predictor"),
        journal="configmap",
        settles_s=5.0,
        shortest_look_s=1.0,
        after_promotion=_PERCENT_IS_STALE,
        after_rollback=_ZERO_IS_NEEDED,
        again=_NEW_REVISION,
        manifest_field=PERCENT_FIELD,
    ),
    "gateway": Backend(
        adapter="scripts.rollout.traffic.gateway:GatewayTraffic",
        target="route",
        counted_by=("gateway", "istio", "predictor"),
        journal="configmap",
        settles_s=5.0,
        shortest_look_s=1.0,
        after_promotion="write these weights into the route's manifest before that is "
        "applied again: the old ones mean back",
        after_rollback="give the next version's Service weight 0 in the manifest",
        again="give it a Service of another name, with weight 0 as second backendRef",
    ),
    "ingress-nginx": Backend(
        adapter="scripts.rollout.traffic.ingress_nginx:IngressNginxTraffic",
        target="ingress",
        counted_by=("predictor",),
        journal="configmap",
        settles_s=5.0,
        shortest_look_s=1.0,
        after_promotion="write canary-weight 100 into the canary Ingress's manifest "
        "before that is applied again: the old one means back",
        after_rollback="keep canary-weight 0 in the canary Ingress's manifest",
        again="give the canary Ingress a Service of another name, with canary-weight 0",
    ),
    "group": Backend(
        adapter="scripts.rollout.traffic.gateway:GroupTraffic",
        target="llminferenceservice",
        counted_by=("predictor", "istio"),
        journal="configmap",
        settles_s=10.0,
        shortest_look_s=1.0,
        after_promotion="write these weights into both members' manifests before they "
        "are applied again: the old ones mean back",
    ),
    "standard": Backend(
        adapter="scripts.rollout.traffic.standard:StandardTraffic",
        target="inferenceservice",
        counted_by=("predictor",),
        journal="configmap",
        settles_s=5.0,
        shortest_look_s=1.0,
        after_promotion="make the canary the predictor in its manifest before that is "
        "applied again: the old one means back",
        after_rollback="apply the next version in spec.canary with trafficPercent: 0",
        again="apply it in spec.canary under another name, with trafficPercent: 0",
    ),
    "haproxy": Backend(
        adapter="scripts.rollout.traffic.haproxy:HaproxyTraffic",
        target="proxy",
        counted_by=("gateway", "predictor"),
        journal="folder",
        settles_s=1.0,
        shortest_look_s=0.2,
        after_promotion="write these weights into HAProxy's file before the next "
        "version: the server that has weight 0 there is the canary",
        after_rollback="keep weight 0 for the canary's server in HAProxy's file",
        again="start its unit with the new model: another digest is another version",
        steered_at="/run/intent/haproxy.sock",
        promoter="on the VM, as a unit of manifests/vm",
    ),
    # By hand: a weight takes SageMaker minutes, instances that it needs before more.
    "sagemaker": Backend(
        adapter="scripts.rollout.traffic.sagemaker:SagemakerTraffic",
        target="endpoint",
        counted_by=("cloudwatch",),
        journal="folder",
        settles_s=600.0,
        shortest_look_s=10.0,
        after_promotion="write these weights into the endpoint's configuration before "
        "the stack is updated again: the old ones mean back",
        after_rollback="keep weight 0 for the canary's variant in the configuration",
        again="create it as a Model of another name",
        promoter="on any machine with the role of manifests/sagemaker",
    ),
    "nginx": Backend(
        adapter="scripts.rollout.traffic.nginx:NginxTraffic",
        target="proxy",
        counted_by=("predictor",),
        journal="folder",
        settles_s=2.0,
        shortest_look_s=0.5,
        after_promotion="for the next version make this one the stable in nginx's "
        "configuration, and write the split file anew with 0",
        after_rollback="the split file has 0: keep it for the next version",
        again="start its unit with the new model: another digest is another version",
        steered_at="http://127.0.0.1:6001/",
        promoter="on the VM, as a unit of manifests/vm",
    ),
}
