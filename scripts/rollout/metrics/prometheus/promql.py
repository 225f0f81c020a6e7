"""Queries for both arms' counters and for the times of their scrapes. Pure."""

from collections.abc import Iterator, Sequence

from scripts.rollout.metrics import envoy, istio, predictor, queue_proxy


def queries(namespace: str, counts: str, revisions: Sequence[str]) -> list[str]:
    """For the counters of some revisions; `counts` says who counts requests."""
    names = "|".join(predictor.PREDICTOR_FAMILIES[:-1])
    wanted = "|".join(revisions)
    found = [f'{{__name__=~"{names}",revision=~"{wanted}"}}']
    if counts == "queue-proxy":
        info = f'{queue_proxy.QUEUE_INFO}{{kn_revision_name=~"{wanted}"}}'
        names = f"({queue_proxy.QUEUE}|{queue_proxy.QUEUE_119})(bucket|count)"
        old = f"{queue_proxy.QUEUE_118}(count|latencies_bucket|latencies_count)"
        found += [
            info,
            f'{{__name__=~"{names}"}} and on (job, instance) {info}',
            f'{{__name__=~"{old}",revision_name=~"{wanted}"}}',
        ]
    if counts == "istio":
        names = "|".join(istio.FAMILIES)
        found.append(f'{{__name__=~"{names}",{istio.chosen(namespace, revisions)}}}')
    if counts == "gateway":
        names = "|".join(envoy.proxy_names())
        clusters = envoy.clusters(namespace, revisions)
        found.append(f'{{__name__=~"{names}",envoy_cluster_name=~"{clusters}"}}')
    return found


def times(
    namespace: str, counts: str, revisions: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """For the time of the last scrape, by kind of instance: of one family each."""
    wanted = "|".join(revisions)
    yield "predictor", f'timestamp(intent_requests_total{{revision=~"{wanted}"}})'
    if counts == "queue-proxy":
        info = f'{queue_proxy.QUEUE_INFO}{{kn_revision_name=~"{wanted}"}}'
        new, middle, old = queue_proxy.QUEUE_REQUESTS
        yield (
            "queue-proxy",
            f"(timestamp({new}) or timestamp({middle})) and on (job, instance) "
            f'{info} or timestamp({old}{{revision_name=~"{wanted}"}})',
        )
    if counts == "istio":
        of = f"{istio.REQUESTS_TOTAL}{{{istio.chosen(namespace, revisions)}}}"
        yield "istio", f"timestamp({of})"
    if counts == "gateway":
        clusters = envoy.clusters(namespace, revisions)
        of = f'{envoy.PROXY}completed{{envoy_cluster_name=~"{clusters}"}}'
        yield "gateway", f"timestamp({of})"
