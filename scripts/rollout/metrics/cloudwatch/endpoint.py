"""An endpoint and its two variants, from what SageMaker describes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.rollout.errors import RolloutError

FULL = 100
IN_SERVICE = "InService"
LOST = ("Failed", "OutOfService", "UpdateRollbackFailed")


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant: its model, its weights as configured, asked for and in force.

    `first_count` and `count` are its instances, one where it is serverless.
    """

    name: str
    model: str
    first_weight: float
    asked_weight: float
    weight: float
    first_count: int
    count: int

    @property
    def revision(self) -> str:
        """Return the revision: a model is never changed under its name."""
        return f"{self.name}-{self.model}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it is now."""

    status: str
    failure: str
    stable: Variant
    canary: Variant

    @property
    def arms(self) -> tuple[Variant, Variant]:
        """Return both variants, the stable first."""
        return self.stable, self.canary

    @property
    def percent(self) -> int:
        """Return the canary's percent as asked for."""
        return _share([each.asked_weight for each in self.arms])[1]

    @property
    def routed(self) -> tuple[int, int]:
        """Return both percents in force."""
        return _share([each.weight for each in self.arms])

    @property
    def is_moving(self) -> bool:
        """Return whether weights or instances are on their way."""
        return self.status != IN_SERVICE or self.percent != self.routed[1]


def read(found: Mapping[str, Any], config: Mapping[str, Any]) -> Endpoint:
    """Return an endpoint. Raises RolloutError unless it has a stable and a canary."""
    first = {each["VariantName"]: each for each in config["ProductionVariants"]}
    every = [
        _variant(first[each["VariantName"]], each)
        for each in found.get("ProductionVariants", ())
        if each["VariantName"] in first
    ]
    stable = [each for each in every if each.first_weight]
    canary = [each for each in every if not each.first_weight]
    if len(stable) != 1 or len(canary) != 1:
        weights = {each.name: each.first_weight for each in every}
        raise RolloutError(
            f"endpoint {found['EndpointName']}: expected two variants, one of them "
            f"with InitialVariantWeight 0, got {weights} in "
            f"{config['EndpointConfigName']}"
        )
    why = found.get("FailureReason", "")
    return Endpoint(found["EndpointStatus"], why, stable[0], canary[0])


def _variant(first: dict[str, Any], now: dict[str, Any]) -> Variant:
    weight = now.get("CurrentWeight", 0.0)
    is_serverless = "CurrentServerlessConfig" in now
    count = now.get("CurrentInstanceCount", int(is_serverless))
    return Variant(
        name=first["VariantName"],
        model=first["ModelName"],
        first_weight=first.get("InitialVariantWeight", 1.0),
        asked_weight=now.get("DesiredWeight", weight),
        weight=weight,
        first_count=first.get("InitialInstanceCount", 1),
        count=count,
    )


def _share(weights: Sequence[float]) -> tuple[int, int]:
    total = sum(weights)
    if not total:
        return 0, 0
    one, other = (round(FULL * each / total) for each in weights)
    return one, other
