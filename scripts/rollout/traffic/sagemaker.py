"""Sets the weights of two production variants of a SageMaker endpoint.

In its configuration one variant has the initial weight 0, and that is the canary: an
endpoint whose weights are lost, as by an `UpdateEndpoint`, sends all to the stable.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import urllib3

from scripts.rollout.errors import ApiError, RemoteError
from scripts.rollout.metrics.cloudwatch import endpoint
from scripts.rollout.metrics.cloudwatch.aws import Api, Client
from scripts.rollout.metrics.cloudwatch.endpoint import IN_SERVICE, LOST, Endpoint
from scripts.rollout.metrics.cloudwatch.ledger import Ledger
from scripts.rollout.metrics.cloudwatch.source import CloudWatch
from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import Replicas, View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.warming import Door

OWN = "x-intent-traffic=warm-up"  # the predictor leaves these out of its counters
HELLO = '{"text": "hello"}'


class SagemakerTraffic:
    """The traffic of one endpoint with two variants."""

    counted_by = "cloudwatch"

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's endpoint. Raises RolloutError."""
        del counted_by
        file = place.folder / "sagemaker" / f"{target.name}.json"
        return cls(
            target.name,
            Client("sagemaker"),
            Client("sagemaker-runtime"),
            Client("cloudwatch"),
            Ledger(file),
        )

    def __init__(
        self,
        name: str,
        control: Api,
        runtime: Api,
        watch: Api,
        ledger: Ledger,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Check the endpoint. Raises RolloutError unless it has stable and canary."""
        self._name, self._control, self._runtime = name, control, runtime
        self._ledger, self._now = ledger, now
        self._config: dict[str, Any] = {}
        self._watch = watch
        self.http = urllib3.PoolManager(retries=False)  # nothing here is asked by it
        self._endpoint()

    def _endpoint(self) -> Endpoint:
        """Return it. Raises RolloutError, RemoteError."""
        found = self._control("describe_endpoint", EndpointName=self._name)
        name = found["EndpointConfigName"]
        if self._config.get("EndpointConfigName") != name:
            self._config = self._control(
                "describe_endpoint_config", EndpointConfigName=name
            )
        return endpoint.read(found, self._config)

    def observe(self) -> View:
        """Read weights asked for and in force, and instances. Raises RemoteError."""
        found = self._endpoint()
        stable, canary = found.arms
        book = self._ledger.book
        moved = book.settled(found.routed, self._now(), is_moving=found.is_moving)
        self._ledger.keep(moved)
        routed = dict(
            zip((each.revision for each in found.arms), found.routed, strict=True)
        )
        has_all = found.percent == found.routed[1] == FULL
        is_lost = found.status in LOST
        return View(
            created=canary.revision,
            ready=canary.revision if canary.count else stable.revision,
            rolledout=canary.revision if has_all else stable.revision,
            percent=None if has_all else found.percent,
            routed=routed,
            replicas={each.revision: Replicas(each.count) for each in found.arms},
            failure=f"{found.status}: {found.failure}" if is_lost else "",
            blocked="" if found.status == IN_SERVICE else f"endpoint {found.status}",
            asked=f"weights {stable.asked_weight:g}/{canary.asked_weight:g}",
            danger=self._danger(found) if has_all else "",
        )

    def _danger(self, found: Endpoint) -> str:
        return (
            f"{found.canary.name} has all traffic already; in the next endpoint "
            f"configuration give it weight {FULL}, and the new model's variant weight 0"
        )

    def promote(self) -> None:
        """Give the canary all traffic. Raises RemoteError."""
        self.set_weight(FULL)

    def set_weight(self, percent: int) -> None:
        """Ask for both weights, and before that for the instances that they need.

        An endpoint that is updated takes no order: the next look gives it again. The
        stable keeps its instances, so that the way back is open at once.
        """
        found = self._endpoint()
        stable, canary = found.arms
        if found.status not in (IN_SERVICE, *LOST):
            return
        needed = max(canary.first_count, math.ceil(stable.count * percent / FULL))
        asked: dict[str, Any] = {"VariantName": canary.name}
        if canary.count and canary.count < needed:
            self._update([asked | {"DesiredInstanceCount": needed}])
            return
        if not percent and canary.count > canary.first_count:
            asked["DesiredInstanceCount"] = canary.first_count
        weights = (float(percent), float(FULL - percent))
        self._update(
            [
                asked | {"DesiredWeight": weights[0]},
                {"VariantName": stable.name, "DesiredWeight": weights[1]},
            ]
        )

    def _update(self, asked: list[dict[str, Any]]) -> None:
        self._control(
            "update_endpoint_weights_and_capacities",
            EndpointName=self._name,
            DesiredWeightsAndCapacities=asked,
        )

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary, past the weights."""
        canary = self._endpoint().canary
        ask = partial(self._invoke, canary.name, asked.body or HELLO)
        return warming.warm_up([Door(canary.name, "invocations", ask)], asked)

    def _invoke(self, variant: str, body: str) -> str:
        try:
            self._runtime(
                "invoke_endpoint",
                EndpointName=self._name,
                TargetVariant=variant,
                ContentType="application/json",
                CustomAttributes=OWN,
                Body=body.encode(),
            )
        except ApiError as error:
            return str(error.status)
        except RemoteError:
            return "none"
        return "200"

    def metrics(self) -> Metrics:
        """Return the counters of CloudWatch."""
        return CloudWatch(
            self._watch, self._name, self._variants, self._ledger, self._now
        )

    def _variants(self) -> dict[str, str]:
        return {each.revision: each.name for each in self._endpoint().arms}

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return None: nobody reaches a variant's container but the service."""
        del revisions
        return None
