"""The second gateway of the VM, nginx: reloads under load, and one that never comes."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import requests

from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.nginx import NginxTraffic
from tests.support.predictors import MODELS
from tests.support.vm_nginx import NginxVm, nginx_vm
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxVm]:
    """Both versions behind nginx."""
    with nginx_vm(tmp_path_factory.mktemp("nginx")) as built:
        for version in ("v1", "v2"):
            built.serve(version, MODELS / version)
        until(lambda: built.is_up("v1") and built.is_up("v2"), shown=built.said)
        yield built


def _traffic(on: NginxVm) -> NginxTraffic:
    target = Target(proxy="intent", backend="nginx", control=on.control)
    return NginxTraffic(on.control, target, "predictor")


def _is_taken(on: NginxVm, percent: int) -> bool:
    return on.weights() == (100 - percent, percent)


def test_fifty_weight_changes_under_load_fail_no_request(on: NginxVm) -> None:
    traffic = _traffic(on)
    with on.users(rps=100) as answers:
        for number in range(50):
            traffic.set_weight(2 * number)
            until(partial(_is_taken, on, 2 * number))
    print(len(answers), "answers")
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_the_split_is_the_one_that_is_set(on: NginxVm) -> None:
    traffic = _traffic(on)
    traffic.set_weight(20)
    until(partial(_is_taken, on, 20))
    answered = Counter(
        requests.post(f"{on.url}/predict", json={"text": "hi"}).headers["x-revision"]
        for _ in range(500)
    )
    assert 64 <= answered["v2"] <= 136  # four standard deviations


def test_a_file_that_nothing_reloads_is_said_and_not_in_force(on: NginxVm) -> None:
    on.set_by_hand(0)
    on.end_unit()
    traffic = _traffic(on)
    traffic.set_weight(30)
    view = traffic.observe()
    assert view.percent == 30
    assert 30 not in view.routed.values()
    assert "what reloads it when the file changes does not work" in view.blocked
    on.begin_unit()
    until(lambda: not traffic.observe().blocked)
