"""The policy file: the target, the error probabilities and the evidence of a rollout.

It is parsed and checked here only. Durations are seconds, shares are
fractions, weights of traffic are whole percents.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag, model_validator

from scripts.rollout.policy.backends import BACKENDS, Backend
from scripts.rollout.policy.integrations import Hooks, Pairs, Webhook
from scripts.rollout.policy.metric import DEFAULT_METRICS, Metric
from scripts.rollout.policy.prometheus import PrometheusServer, from_url
from scripts.rollout.policy.values import (
    ENDPOINT,
    Choice,
    Look,
    Name,
    Part,
    Percent,
    Periods,
    Probability,
    Seconds,
    Share,
    SomeSeconds,
    Word,
    fraction,
)
from scripts.rollout.policy.warmup import Warmup, requests
from scripts.rollout.policy.window import Window

# Chosen by hand: with fixed steps at least three looks of the default interval at one,
# so that what a weight does is seen before the next.
FIXED_DWELL_S = 30.0
# Chosen by hand: a shorter one decides sooner and reads all pages more often. A broken
# canary is met for one interval at least.
INTERVAL_S = 10.0
# The longest waits, where a weight settles in seconds.
READY_TIMEOUT_S = 600.0  # Flagger's and Argo Rollouts' progressDeadline
METRICS_SILENCE_S = 120.0  # twelve looks
ROLLBACK_S = 300.0  # by hand
# Scrapes of the stable for `steps: auto`, which needs its rate of requests.
SCRAPES_FOR_STEPS = 3


def _known(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"expected {' or '.join(BACKENDS)}, got {name!r}")
    return name


class Target(Part):
    """What is rolled out, and the backend that routes it.

    `proxy` is a gateway's own backend, by the model's name; `control` steers it. Only
    restarts of `container` count, without it those of every container except sidecars.
    `rule`: of the route, by its name or by the path of one of its matches.
    """

    inferenceservice: Name | None = None
    route: Name | None = None
    ingress: Name | None = None
    llminferenceservice: Name | None = None
    proxy: Name | None = None
    endpoint: Annotated[str, Field(pattern=ENDPOINT)] | None = None
    control: str | None = None
    container: Name | None = None
    rule: Annotated[str, Field(min_length=1)] | None = None
    namespace: Name = "default"
    backend: Annotated[str, AfterValidator(_known)] = "local"

    @property
    def name(self) -> str:
        """Return the name of the object to roll out."""
        return str(getattr(self, BACKENDS[self.backend].target))

    @property
    def steered_at(self) -> str:
        """Return the file or socket by which the gateway is steered."""
        return self.control or BACKENDS[self.backend].steered_at

    @property
    def kind(self) -> str:
        """Return the kind of the object to roll out."""
        kinds = {
            "route": "HTTPRoute",
            "ingress": "Ingress",
            "llminferenceservice": "LLMInferenceService",
        }
        return kinds.get(BACKENDS[self.backend].target, "InferenceService")

    @model_validator(mode="after")
    def _is_named_by_its_key(self) -> "Target":
        row = BACKENDS[self.backend]
        keys = {row.target, "control"} if row.steered_at else {row.target}
        keys |= {"rule"} if row.target == "route" else set()
        names = {"control", "rule", *(each.target for each in BACKENDS.values())}
        others = [key for key in sorted(names - keys) if getattr(self, key)]
        if getattr(self, row.target) is None or others:
            given = f", no {' or '.join(others)}" if others else ""
            raise ValueError(f"backend {self.backend}: expected {row.target}{given}")
        is_url, expects_url = (
            each.startswith(("http://", "https://"))
            for each in (self.steered_at, row.steered_at)
        )
        if is_url != expects_url:
            kind = "http:// or https://" if expects_url else "the path of a socket"
            raise ValueError(f"control: expected {kind}, got {self.control!r}")
        return self


class Bake(Part):
    """The last wait before the promotion, with a small control group left."""

    percent: Percent = 95  # 5 % stay to compare with: at 100 % there is no control
    duration: Seconds = 300.0  # +5 % errors are found in about two minutes


class Risk(Part):
    """Error probabilities over the whole rollout, at any number of looks."""

    # The guarantee. To halve one takes 15 % or 23 % more evidence: ln 2 beside ln 100
    # or ln 20.
    false_rollback: Probability = 0.01
    bad_promotion: Probability = 0.05
    # By hand: what a raise too early costs, evidence takes back; see DECISIONS.md.
    bad_raise: Annotated[float, BeforeValidator(fraction), Field(gt=0, le=1)] = 0.25


class Guards(Part):
    """Limits that need no comparison of the arms."""

    # Chosen by hand. An incident of both arms above it holds the raise.
    max_error_rate: Share = 0.2
    # By hand, at least `windows.PART`: the arms' seconds may differ by that much. None
    # is for sticky clients, whose split cannot be right request by request.
    split_tolerance: Share | None = 0.1
    max_restarts: Annotated[int, Field(ge=0)] = 2  # by hand: a third is a loop
    ready_timeout: SomeSeconds | None = None
    # Chosen by hand: twice the load that a replica was seen to carry, rarely its limit.
    max_load: Annotated[float, Field(gt=0)] = 2.0
    # By hand, as a person would: a sync in passing is one write, a fourth is a fight.
    max_rival_writes: Annotated[int, Field(ge=0)] = 3


class Dependence(Part):
    """The over-dispersion of outcomes, as by retries and sessions.

    `auto` estimates it from the stable: from the last `history` if the source keeps
    one, else from `scrapes` before the first step. `assumed` is used if those have too
    few bad outcomes for an estimate.
    """

    cluster_size: Annotated[
        Word | Annotated[int, Field(strict=True, ge=1), Tag("value")], Choice
    ] = "auto"
    history: SomeSeconds = 6 * 3600.0  # 2,160 scrapes: DECISIONS.md's tables
    scrapes: Annotated[int, Field(ge=2)] = 30  # five minutes: its rows "cold"
    assumed: Annotated[int, Field(ge=1)] = 4  # by hand: its cell in clusters of 4


class Deadlines(Part):
    """The longest waits."""

    # Chosen by hand: shorter asks people more often, longer keeps what is undecided.
    step: SomeSeconds = 2 * 3600.0
    rollout: SomeSeconds = 8 * 3600.0
    metrics_silence: SomeSeconds | None = None
    rollback: SomeSeconds | None = None  # then a person must look: exit code 50


class Source(Part):
    """The source of the counters, and the seconds between looks.

    `interval`: `auto` chooses it with the first step, before which it is INTERVAL_S.
    `counts`: who counts HTTP requests, by default the first one that the backend has.
    """

    prometheus: Annotated[PrometheusServer, BeforeValidator(from_url)] | None = None
    cloudwatch: Periods = Periods()
    counts: str | None = None
    interval: Look | None = None


class Policy(Pairs):
    """A whole policy file."""

    version: Literal[1] = 1
    target: Target
    steps: Annotated[
        Word | Annotated[tuple[Percent, ...], Field(min_length=1), Tag("value")], Choice
    ] = (5, 10, 25, 50)  # as DECISIONS.md compares them
    carry_from: (
        Annotated[float, BeforeValidator(fraction), Field(ge=0, le=1)] | None
    ) = None
    dwell: Seconds | None = None
    bake: Bake = Bake()
    risk: Risk = Risk()
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = DEFAULT_METRICS
    guards: Guards = Guards()
    dependence: Dependence = Dependence()
    deadlines: Deadlines = Deadlines()
    on_inconclusive: Literal["pause", "rollback"] = "pause"
    pause_at: tuple[Percent, ...] = ()
    source: Source = Source()
    warmup: Annotated[Warmup, BeforeValidator(requests)] = Warmup()
    notify: tuple[Webhook, ...] = ()
    hooks: Hooks = Hooks()
    window: Window | None = None

    @property
    def is_auto(self) -> bool:
        """Return whether the steps are chosen from the traffic and may be skipped."""
        return self.steps == "auto"

    @property
    def carried_from(self) -> float:
        """Return the share of a step's weight from which scrapes count for its gate."""
        if self.carry_from is not None:
            return self.carry_from
        return 0.0 if self.is_auto else 1.0

    @property
    def dwell_s(self) -> float:
        """Return the least seconds at a weight; with automatic steps none."""
        if self.dwell is not None:
            return self.dwell
        return 0.0 if self.is_auto else FIXED_DWELL_S

    @property
    def interval_s(self) -> float:
        """Return the seconds between looks, until the first step if it is chosen."""
        given = self.source.interval
        return given if isinstance(given, float) else INTERVAL_S

    @property
    def chooses_interval(self) -> bool:
        """Return whether the interval is chosen from the traffic."""
        given = self.source.interval
        return given == "auto" or (given is None and self.is_auto)

    @property
    def shortest_look_s(self) -> float:
        """Return the shortest one to choose; a Prometheus is as new as its scrapes."""
        return INTERVAL_S if self.source.prometheus else self.backend.shortest_look_s

    @property
    def scrapes_needed(self) -> int:
        """Return the number of the stable's scrapes before the first step."""
        if self.dependence.cluster_size == "auto":
            return self.dependence.scrapes
        return SCRAPES_FOR_STEPS if self.is_auto else 1

    @property
    def ready_timeout_s(self) -> float:
        """Return how long the canary may be not ready."""
        given = self.guards.ready_timeout
        return given or max(READY_TIMEOUT_S, 2 * self.backend.settles_s)

    @property
    def metrics_silence_s(self) -> float:
        """Return how long there may be no metrics until that is said."""
        given = self.deadlines.metrics_silence
        return given or max(METRICS_SILENCE_S, self.backend.settles_s)

    @property
    def rollback_s(self) -> float:
        """Return the seconds within which a rollback must be seen in force."""
        given = self.deadlines.rollback
        return given or max(ROLLBACK_S, 2 * self.backend.settles_s)

    @property
    def backend(self) -> Backend:
        """Return the row of the target's backend."""
        return BACKENDS[self.target.backend]

    @property
    def counted_by(self) -> str:
        """Return the part that counts HTTP requests."""
        return self.source.counts or self.backend.counted_by[0]

    def open_s(self, since: float, now: float) -> float:
        """Return the seconds between two times in which the weight may rise."""
        return now - since if self.window is None else self.window.open_s(since, now)

    @property
    def key(self) -> str:
        """Return namespace and name of the target."""
        return f"{self.target.namespace}.{self.target.name}"
