"""What a policy without a fault still rests on, for `lint` to say. Pure."""

from collections.abc import Iterator

from scripts.rollout.policy.policy import Policy


def advice(policy: Policy) -> Iterator[str]:
    """One line for each."""
    for position, metric in enumerate(policy.metrics):
        if metric.promql is not None:
            yield (
                f"metrics[{position}].promql: {metric.name} needs one counter a pod "
                "from each query, with the label pod or instance, that only grows; bad "
                "is a part of total; a sum() over pods says nothing after it lost one"
            )
