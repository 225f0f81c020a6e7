"""`gitops`: what to put where so that a GitOps controller does not fight a rollout."""

from pathlib import Path

from scripts.rollout.cli.options import Common, emit, text_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.policy import reader

GATEWAY = """\
# The weights and the template are different objects: Git keeps 100/0, safe at rest.
# {rule}
# After a promotion the live weights are 0 and 100, and stay so: whatever Git makes the
# second backend next gets everything. So first make the promoted Service both backends
# in Git, then set the live weights to 100 and 0 by kubectl; the next version is second.
# Argo CD, in the Application's spec. Plain pointers: a condition in a
# jqPathExpression is evaluated otherwise on Git's object than on the live one, and
# stays OutOfSync. Not by managedFieldsManagers: rules is an atomic list, and no change
# of it would be seen again.
ignoreDifferences:
  - group: gateway.networking.k8s.io
    kind: HTTPRoute
    name: {name}
    namespace: {namespace}
    jsonPointers:
      - /spec/rules/{index}/backendRefs/0/weight
      - /spec/rules/{index}/backendRefs/1/weight
syncPolicy:
  syncOptions: [RespectIgnoreDifferences=true]
---
# Flux whose Kustomizations know spec.ignore (run with kustomize-controller 1.9.0):
# Git's weights make the route, the live ones stay, other changes of it come through.
spec:
  ignore:
    - target: {{kind: HTTPRoute, name: {name}}}
      paths:
        - /spec/rules/{index}/backendRefs/0/weight
        - /spec/rules/{index}/backendRefs/1/weight
---
# An older Flux, in the HTTPRoute in Git: it is applied once, and no change in Git after
# that. Never leave the weights out: they default to 1 each, half for the canary.
metadata:
  annotations: {{kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}}
"""
INGRESS = """\
# The weight and the template are different objects, and the weight is one annotation,
# which the promoter applies as its own. Leave it out of Git: without it the canary gets
# nothing, and neither Argo CD nor Flux touches what Git does not have. Nothing is to be
# ignored or suspended. The canary Ingress in Git ({name}-canary, if it is called so):
metadata:
  annotations:
    nginx.ingress.kubernetes.io/canary: "true"
    # no nginx.ingress.kubernetes.io/canary-weight
# After a promotion the live weight is 100, and the next version under it would get
# everything. So two commits: give Ingress {name} the promoted Service and take the
# canary Ingress away; then bring it anew with the next version's Service.
"""
PERCENT = """\
# Recommended: backend: gateway. There weight and template are different objects; here
# they are one, so the sync has to be suspended while a rollout goes on.
# Do not ignore {field}: Argo CD would drop it from the next version too, which
# gets everything; Flux applies null where a promotion has removed it, which the API
# refuses (kustomize-controller 1.9.0): the next version never comes.
# Argo CD, in the Application's spec: it restores nothing. Any commit still syncs: let
# nobody push to this Application's path meanwhile.
syncPolicy:
  automated: {{selfHeal: false}}
# To begin: argocd app sync APP, with {field} 0 in Git.
---
# Flux has no such switch: hooks suspend and resume, in the policy.
hooks:
  pre: {{command: [flux, suspend, kustomization, APP], timeout: 30s}}
# After run --write-manifest FILE --git BRANCH --push: flux reconcile source git, then
# flux resume kustomization APP. Not by hooks.post, which is told before Git has the
# verdict: what Git still says would take the promotion back.
# An annotation on the InferenceService (reconcile: disabled, ssa: IfNotPresent) would
# make a new revision: not there.
"""
FIELDS = {"knative": "canaryTrafficPercent", "standard": "spec.canary's trafficPercent"}


def gitops(file: Path, common: Common) -> Exit:
    """Print the settings of Argo CD and Flux for the policy's backend."""
    policy = reader.parse(text_of(file), str(file))
    target = policy.target
    if target.backend == "gateway":
        rule = f"The rule {target.rule}: write its number below." if target.rule else ""
        text = GATEWAY.format(
            name=target.name,
            namespace=target.namespace,
            index="NUMBER" if target.rule else 0,
            rule=rule or "The route's first rule.",
        )
    elif target.backend in FIELDS:
        text = PERCENT.format(field=FIELDS[target.backend])
    elif target.backend == "ingress-nginx":
        text = INGRESS.format(name=target.name)
    elif policy.backend.promoter:
        raise RolloutError(
            f"target.backend {target.backend}: no GitOps controller writes there, "
            "nothing is to be set; whoever applies its configuration: "
            f"{policy.backend.after_promotion}"
        )
    else:
        raise RolloutError(
            f"target.backend {target.backend}: no GitOps settings are written down; "
            "expected knative, standard, gateway or ingress-nginx"
        )
    emit(common.output, {"settings": text}, text.rstrip())
    return Exit.PROMOTED
