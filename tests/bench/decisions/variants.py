"""The policies of this project that are compared, by name."""

from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.reader import parse
from tests.bench.decisions.ours import Variant, looks_of

FIRST = "ours, auto"
FIXED = "ours, 5/10/25/50"
SHADOW = "ours, auto, shadow {} %"
STANDS = "ours, auto, shadow {} % stands for users"
IID = "ours, auto, phi 1 assumed"
DISARMED = "ours, auto, rollback switched off"
PERIODS = "ours, auto, periods of 10 s"
WIDE = "ours, 25/50, budgets 2 % and 4 %"
LABELLED = "ours, auto, shadow 20 %, labels"

POLICY = """
target: {{inferenceservice: intent}}
{}
metrics:
  - {{name: errors, budget: {}, weight: 3}}
  - {{name: latency, slo: 250ms, budget: {}, weight: 3}}
"""
FEEDBACK = "  - {name: accuracy, feedback: label}\n"
_SHADOWED = {
    **{SHADOW.format(share): (share, "") for share in (20, 100)},
    **{STANDS.format(share): (share, ", standsForUsers: true") for share in (20, 100)},
}
PAIRED = tuple(SHADOW.format(share) for share in (20, 100))
TRUSTED = tuple(STANDS.format(share) for share in (20, 100))
ALL = (FIRST, FIXED, *PAIRED, *TRUSTED)


def policy(text: str, budgets: tuple[str, str] = ("0.5%", "1%")) -> Policy:
    """The two metrics under some lines of a policy."""
    return parse(POLICY.format(text, *budgets), "bench")


def variant(name: str) -> Variant:
    """The policy that a name stands for."""
    if name in _SHADOWED:
        share, stands = _SHADOWED[name]
        shadow = f"shadow: {{share: {share}%{stands}}}"
        return Variant(name, policy(f"steps: auto\n{shadow}"))
    match name:
        case s if s == FIXED:
            return Variant(name, policy(""))
        case s if s == IID:
            return Variant(name, policy("steps: auto\ndependence: {clusterSize: 1}"))
        case s if s == PERIODS:
            return Variant(name, policy("steps: auto\nsource: {interval: 10s}"))
        case s if s == LABELLED:
            text = POLICY.format("steps: auto\nshadow: {share: 20%}", "0.5%", "1%")
            return Variant(name, parse(text + FEEDBACK, "bench"))
        case s if s == WIDE:
            return Variant(name, policy("steps: [25, 50]", ("2%", "4%")))
    return Variant(name, policy("steps: auto"), rolls_back=name != DISARMED)


def path(of: Variant, rps: float) -> tuple[tuple[int, ...], float]:
    """Its steps and seconds between looks."""
    looks = looks_of(of.policy, rps)
    return looks.steps, looks.interval
