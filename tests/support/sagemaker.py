"""SageMaker and CloudWatch as far as a rollout needs them: a stand-in of our own.

It routes by weight, updates for a while, refuses meanwhile, and publishes what it
counted in closed periods, late. `tests/support/aws_wire.py` speaks its protocols.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import requests

NAME, CONFIG = "intent", "intent-config"
MICRO = 1_000_000
MODELS = {"stable": "intent-v1", "canary": "intent-v2"}


class RefusedError(Exception):
    """What the service answers instead: an HTTP status, a code, a sentence."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        """Refuse so."""
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


@dataclass(frozen=True)
class Arm:
    """A variant: what its configuration says, what is asked for, what is in force."""

    first_weight: float
    first_count: int
    asked: float
    weight: float
    asked_count: int
    count: int

    @classmethod
    def of(cls, weight: float, count: int) -> "Arm":
        """As its configuration says."""
        return cls(weight, count, weight, weight, count, count)


@dataclass(frozen=True)
class Served:
    """One invocation: when it was answered, how, and how long that took."""

    at: float
    status: int
    seconds: float


@dataclass
class Service:
    """One endpoint. `urls`: each variant's container. All seconds are of `now`."""

    urls: Mapping[str, str] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    updating_s: float = 0.0
    late_s: float = 0.0
    instances: int = 1
    throttled: int = 0
    expired: bool = False
    status: str = "InService"

    def __post_init__(self) -> None:
        """Begin with all traffic at the stable."""
        self.arms = {
            "stable": Arm.of(100.0, self.instances),
            "canary": Arm.of(0.0, 1),
        }
        self.done_at = 0.0
        self.served: dict[str, list[Served]] = {name: [] for name in self.arms}
        self.http = requests.Session()
        self.asked: list[str] = []

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Answer one operation, by boto3's name."""
        self.asked.append(operation)
        if self.throttled:
            self.throttled -= 1
            raise RefusedError(400, "ThrottlingException", "Rate exceeded")
        if self.expired:
            raise RefusedError(403, "ExpiredTokenException", "The token has expired")
        found: dict[str, Any] = getattr(self, operation)(**parameters)
        return found

    def _settle(self) -> None:
        if self.status == "Updating" and self.now() >= self.done_at:
            self.status = "InService"
            self.arms = {
                name: replace(arm, weight=arm.asked, count=arm.asked_count)
                for name, arm in self.arms.items()
            }

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        """Say what is in force."""
        self._settle()
        if EndpointName != NAME:
            message = f'Could not find endpoint "{EndpointName}".'
            raise RefusedError(400, "ValidationException", message)
        at = datetime.fromtimestamp(self.done_at, UTC)
        return {
            "EndpointName": NAME,
            "EndpointArn": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{NAME}",
            "EndpointConfigName": CONFIG,
            "EndpointStatus": self.status,
            "CreationTime": at,
            "LastModifiedTime": at,
            "ProductionVariants": [
                {
                    "VariantName": name,
                    "CurrentWeight": arm.weight,
                    "DesiredWeight": arm.asked,
                    "CurrentInstanceCount": arm.count,
                    "DesiredInstanceCount": arm.asked_count,
                }
                for name, arm in self.arms.items()
            ],
        }

    def describe_endpoint_config(
        self,
        EndpointConfigName: str,
    ) -> dict[str, Any]:
        """Say what stands in the configuration."""
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/{CONFIG}"
        return {
            "EndpointConfigName": EndpointConfigName,
            "EndpointConfigArn": arn,
            "CreationTime": datetime.fromtimestamp(0, UTC),
            "ProductionVariants": [
                {
                    "VariantName": name,
                    "ModelName": MODELS[name],
                    "InitialInstanceCount": arm.first_count,
                    "InitialVariantWeight": arm.first_weight,
                    "InstanceType": "ml.m5.large",
                }
                for name, arm in self.arms.items()
            ],
        }

    def update_endpoint_weights_and_capacities(
        self,
        EndpointName: str,
        DesiredWeightsAndCapacities: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Begin an update, unless one goes on."""
        arn = self.describe_endpoint(EndpointName)["EndpointArn"]
        if self.status != "InService":
            message = f"Cannot update in-progress endpoint {arn}."
            raise RefusedError(400, "ValidationException", message)
        for each in DesiredWeightsAndCapacities:
            name = each["VariantName"]
            arm = self.arms[name]
            self.arms[name] = replace(
                arm,
                asked=each.get("DesiredWeight", arm.asked),
                asked_count=each.get("DesiredInstanceCount", arm.asked_count),
            )
        self.status, self.done_at = "Updating", self.now() + self.updating_s
        self._settle()
        return {"EndpointArn": arn}

    def reset(self) -> None:
        """What an UpdateEndpoint without RetainAllVariantProperties does to weights."""
        self.arms = {
            name: replace(arm, asked=arm.first_weight, weight=arm.first_weight)
            for name, arm in self.arms.items()
        }

    def chosen(self) -> str:
        """Draw a variant by the weights in force."""
        self._settle()
        weights = [arm.weight for arm in self.arms.values()]
        return random.choices(list(self.arms), weights)[0]

    def invoke_endpoint(
        self,
        EndpointName: str,
        Body: bytes,
        TargetVariant: str = "",
        **sent: str,
    ) -> dict[str, Any]:
        """Ask a container, count its answer, and pass it on."""
        self.describe_endpoint(EndpointName)
        name, began = TargetVariant or self.chosen(), time.perf_counter()
        status, content, headers = self._container(name, Body, sent)
        self.count(name, status, time.perf_counter() - began)
        if status != 200:
            arn = f"arn:aws:logs:::/aws/sagemaker/Endpoints/{NAME}"
            raise RefusedError(
                *(424, "ModelError", f"Received {status} from {name}"),
                OriginalStatusCode=status,
                OriginalMessage=content.decode(),
                LogStreamArn=arn,
            )
        return {
            "Body": content,
            "ContentType": headers.get("content-type", ""),
            "InvokedProductionVariant": name,
            "CustomAttributes": headers.get("x-amzn-sagemaker-custom-attributes", ""),
        }

    def _container(
        self, name: str, body: bytes, sent: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        names = {
            "ContentType": "content-type",
            "Accept": "accept",
            "CustomAttributes": "x-amzn-sagemaker-custom-attributes",
        }
        headers = {names[key]: value for key, value in sent.items() if key in names}
        url = f"{self.urls[name]}/invocations"
        try:
            answer = self.http.post(url, body, headers=headers, timeout=60)
        except requests.RequestException as error:
            return 503, str(error).encode(), {}
        return answer.status_code, answer.content, answer.headers

    def count(self, variant: str, status: int, seconds: float = 0.01) -> None:
        """Count an invocation now."""
        self.served[variant].append(Served(self.now(), status, seconds))

    def get_metric_data(
        self,
        MetricDataQueries: list[dict[str, Any]],
        StartTime: datetime,
        EndTime: datetime,
        **_: Any,
    ) -> dict[str, Any]:
        """Say what was published of the periods that begin between two times."""
        begin, end = StartTime.timestamp(), EndTime.timestamp()
        results = [self._result(each, begin, end) for each in MetricDataQueries]
        return {"MetricDataResults": results, "Messages": []}

    def _result(self, query: dict[str, Any], begin: float, end: float) -> Any:
        stat = query["MetricStat"]
        pairs = {each["Name"]: each["Value"] for each in stat["Metric"]["Dimensions"]}
        length, name = stat["Period"], stat["Metric"]["MetricName"]
        points: dict[float, float] = {}
        for each in list(self.served[pairs["VariantName"]]):
            start = each.at // length * length
            is_published = start + length + self.late_s <= self.now()
            if begin <= start < end and is_published:
                value = _value(name, stat["Stat"], each)
                points[start] = points.get(start, 0.0) + value
        return {
            "Id": query["Id"],
            "Label": name,
            "Timestamps": [datetime.fromtimestamp(at, UTC) for at in points],
            "Values": list(points.values()),
            "StatusCode": "Complete",
        }


def _value(metric: str, stat: str, served: Served) -> float:
    if metric == "ModelLatency":
        if stat == "SampleCount":
            return 1.0
        return float(served.seconds * MICRO <= float(stat.removeprefix("TC(:")[:-1]))
    counted = {
        "Invocations": True,
        "Invocation4XXErrors": 400 <= served.status < 500,
        "Invocation5XXErrors": served.status >= 500,
        "InvocationModelErrors": served.status >= 400,
    }
    return float(counted[metric])
