"""The policy file: two lines are enough, and every fault is said with its line."""

from pathlib import Path

import pytest

from scripts.rollout.errors import PolicyError
from scripts.rollout.policy.reader import parse, read

SMALLEST = "target:\n  inferenceservice: intent\n"


def _faults(text: str) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        parse(text, "p")
    return str(refused.value).splitlines()


def test_two_lines_are_a_whole_policy() -> None:
    policy = parse(SMALLEST, "p")
    assert policy.key == "default.intent"
    assert policy.steps == (5, 10, 25, 50)
    risk = {"false_rollback": 0.01, "bad_promotion": 0.05, "bad_raise": 0.25}
    assert policy.risk.model_dump() == risk
    assert [metric.name for metric in policy.metrics] == ["errors", "latency", "labels"]
    assert (policy.dwell_s, policy.carried_from) == (30, 1)
    assert (policy.rollback_s, policy.warmup.requests) == (300, 20)


def test_the_longest_waits_follow_from_how_long_a_weight_takes_its_backend() -> None:
    policy = parse("target: {endpoint: intent, backend: sagemaker}\n", "p")
    settles_s = policy.backend.settles_s
    assert settles_s >= 60
    waits = policy.ready_timeout_s, policy.metrics_silence_s, policy.rollback_s
    assert waits == (2 * settles_s, settles_s, 2 * settles_s)
    given = "guards: {readyTimeout: 5s}\n"
    given += "deadlines: {metricsSilence: 20s, rollback: 7s}\n"
    policy = parse(f"{SMALLEST}{given}", "p")
    waits = policy.ready_timeout_s, policy.metrics_silence_s, policy.rollback_s
    assert waits == (5, 20, 7)


def test_automatic_steps_carry_evidence_and_do_not_dwell() -> None:
    policy = parse(f"{SMALLEST}steps: auto\n", "p")
    assert (policy.dwell_s, policy.carried_from) == (0, 0)
    assert policy.chooses_interval
    policy = parse(f"{SMALLEST}steps: auto\ncarryFrom: 50%\ndwell: 1m\n", "p")
    assert (policy.dwell_s, policy.carried_from) == (60, 0.5)


@pytest.mark.parametrize(
    ("lines", "chooses", "seconds"),
    [
        ("", False, 10),
        ("steps: auto\nsource: {interval: 3s}\n", False, 3),
        ("source: {interval: auto}\n", True, 10),
    ],
)
def test_the_interval_is_given_or_chosen(
    lines: str, chooses: bool, seconds: float
) -> None:
    policy = parse(f"{SMALLEST}{lines}", "p")
    assert (policy.chooses_interval, policy.interval_s) == (chooses, seconds)


def test_every_fault_is_reported_at_once_with_its_line() -> None:
    text = """target: {inferenceservice: Intent, backnd: local}
step: [5]
steps: [5, 10, 120]
dwell: 5
dwell: 6s
metrics:
  - {name: errors, buget: 1%}
  - {name: foo, budget: 1%}
  - {name: latency, slo: 250, budget: 1%}
  - name: labels
    drift: predicted_labels
    tolerance: 5
guards: 7
dependence: {clusterSize: -3}
"""
    found = _faults(text)
    for line, said in (
        (1, "target.backnd: unknown key; did you mean backend?"),
        (1, "target.inferenceservice: expected a DNS label"),
        (2, "step: unknown key; did you mean steps?"),
        (3, "steps[2]: expected less than or equal to 99, got 120"),
        (5, "dwell: given twice"),
        (7, "metrics[0].buget: unknown key; did you mean budget?"),
        (8, "metrics[1]: unknown metric 'foo'"),
        (9, "metrics[2].slo: expected a duration such as 250ms"),
        (11, "metrics[3].drift: expected 'predicted_label'"),
        (12, "metrics[3].tolerance: expected less than 1, got 5"),
        (13, "guards: expected a mapping, got 7"),
        (14, "dependence.clusterSize: expected greater than or equal to 1"),
    ):
        assert any(each.startswith(f"p:{line}: {said}") for each in found), (line, said)
    assert len(found) == 12, found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            """steps: [50, 20]
bake: {percent: 40}
dwell: 3h
deadlines: {rollout: 1h}
metrics:
  - {name: latency, slo: 250}
  - {name: labels, drift: predicted_labels}
  - {name: low, bad: confidence<0.52, tolerance: 1%}
  - {name: own, promql: {bad: x}}
window: {}
""",
            (
                "p:3: steps: expected rising percents, got [50, 20]",
                "p:4: bake.percent: expected at least the last step, 50",
                "p:5: dwell: expected less than deadlines.step",
                "p:6: deadlines.rollout: expected no less than deadlines.step",
                "p:8: metrics[0].name: expected errors first",
                "p:8: metrics[0].slo: expected a duration such as 250ms",
                "p:8: metrics[0]: expected budget: 1%, and no tolerance",
                "p:9: metrics[1].drift: expected 'predicted_label'",
                "p:9: metrics[1]: expected tolerance: 1%, and no budget",
                "p:10: metrics[2].bad: expected confidence< and a multiple of 0.05",
                "p:10: metrics[2]: expected budget: 1%, and no tolerance",
                "p:11: metrics[3].promql.bad: expected {revision} in the query",
                "p:11: metrics[3].promql.total: missing",
                "p:11: metrics[3].promql: needs source.prometheus",
                "p:11: metrics[3]: expected budget: 1%, and no tolerance",
                "p:12: window.hours: missing",
            ),
        ),
        (
            """steps: [50, 20, 120]
metrics: [{name: foo, budget: 1%}]
hooks: {pre: {command: [], url: here}}
notify: [{url: here}, {format: text}]
synthetic: {rps: many, texts: 7}
""",
            (
                "p:3: steps: expected rising percents, got [50, 20]",
                "p:3: steps[2]: expected less than or equal to 99, got 120",
                "p:4: metrics[0]: unknown metric 'foo'",
                "p:4: metrics[0].name: expected errors first",
                "p:5: hooks.pre.command: expected at least one",
                "p:5: hooks.pre.url: expected http:// or https://, or ${VARIABLE}",
                "p:6: notify[0].url: expected http:// or https://, or ${VARIABLE}",
                "p:6: notify[1].format: expected 'json', 'slack', 'teams', 'pager",
                "p:6: notify[1]: expected url",
                "p:7: synthetic.rps: expected a valid number",
                "p:7: synthetic.texts: expected a valid string, got 7",
            ),
        ),
        (
            "source: {counts: queue-proxy}\npauseAt: [200, 7]\nsteps: [0, 5]\n"
            "deadlines: {step: 9, rollout: 1h}\n",
            (
                "p:4: pauseAt[0]: expected less than or equal to 99, got 200",
                "p:3: source.counts: with backend local expected gateway or predictor",
                "p:5: steps[0]: expected greater than or equal to 1, got 0",
                "p:6: deadlines.step: expected a duration",
            ),
        ),
    ],
)
def test_a_wrong_value_hides_no_other_fault_and_makes_none_up(
    text: str, said: tuple[str, ...]
) -> None:
    found = _faults(SMALLEST + text)
    for each in said:
        assert any(line.startswith(each) for line in found), (each, found)
    assert len(found) == len(said), found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("steps: [25, 10]", "steps: expected rising percents, got [25, 10]"),
        ("steps: []", "steps: expected at least one"),
        ("steps: 7", "steps: expected a list, got 7"),
        ("steps: autp", "steps: expected 'auto', got 'autp'"),
        ("steps: [true]", "steps[0]: expected a valid integer, got True"),
        ("pauseAt: [7]", "pauseAt[0]: 7 is not one of the steps"),
        ("bake: {percent: 40}", "bake.percent: expected at least the last step, 50"),
        ("dwell: 3h", "dwell: expected less than deadlines.step"),
        ("dwell: -1s", "dwell: expected a duration such as"),
        ("source: {interval: 0s}", "source.interval: expected more than nothing"),
        ("source: {interval: 50ms}", "source.interval: expected 200ms or more"),
        ("source: {interval: soon}", "source.interval: expected a duration such as"),
        (
            "source: {prometheus: here}",
            "source.prometheus.url: expected http:// or https://",
        ),
        (
            "source: {prometheus: 'url://here'}",
            "source.prometheus.url: expected http:// or https://",
        ),
        (
            "source: {prometheus: 'http://me:hunter2@here'}",
            "source.prometheus.url: expected a URL without a user",
        ),
        (
            "source: {prometheus: {url: 'http://h', bearer: hunter2}}",
            "source.prometheus.bearer: expected {env: VARIABLE} or {file: PATH}",
        ),
        (
            "source: {prometheus: {url: 'http://h', bearer: {}}}",
            "source.prometheus.bearer: expected env: VARIABLE or file: PATH",
        ),
        (
            "source: {prometheus: {url: 'http://h', headers: {Cookie: hunter2}}}",
            "source.prometheus.headers: Cookie: use basic or bearer",
        ),
        (
            "source: {counts: queue-proxy}",
            "source.counts: with backend local expected gateway or predictor",
        ),
        ("deadlines: {rollout: 1h}", "deadlines.rollout: expected no less than"),
        ("deadlines: {metricsSilence: 1s}", "deadlines.metricsSilence: expected two"),
        ("risk: {falseRollback: 0}", "risk.falseRollback: expected greater than 0"),
        ("risk: {badPromotion: .nan}", "risk.badPromotion: expected a share such as"),
        ("version: 2", "version: expected 1, got 2"),
        ("hocks: []", "hocks: unknown key; did you mean hooks?"),
        ("hooks: {pre: {}}", "hooks.pre: expected command: [...] or url: https://..."),
        ("hooks: {pre: {command: []}}", "hooks.pre.command: expected at least one"),
        ("window: {}", "window.hours: missing"),
        ("window: {hours: 9-17}", 'window.hours: expected hours such as "09:00-17:00"'),
        ('window: {hours: "09:00-09:00"}', "window.hours: expected hours such as"),
        (
            'window: {hours: "09:00-17:00", timezone: Mars}',
            "window.timezone: expected a time zone such as UTC or Europe/Berlin",
        ),
        (
            'window: {hours: "09:00-17:00", days: [monday]}',
            "window.days[0]: expected 'mon', 'tue'",
        ),
        (
            "source: {prometheus: 'http://p'}\nmetrics: [{name: errors, budget: 1%}, "
            "{name: a, budget: 1%, promql: {bad: 'x{revision}'}}]",
            "metrics[1].promql.total: missing",
        ),
        (
            "source: {prometheus: 'http://p'}\nmetrics: [{name: errors, budget: 1%}, "
            "{name: a, budget: 1%, promql: {bad: 'x{revision}', total: y}}]",
            "metrics[1].promql.total: expected {revision} in the query, got 'y'",
        ),
        (
            "metrics: [{name: errors, budget: 1%}, "
            "{name: a, budget: 1%, promql: {bad: '{revision}', total: '{revision}'}}]",
            "metrics[1].promql: needs source.prometheus",
        ),
        (
            "source: {prometheus: 'http://h'}\n"
            "metrics: [{name: errors, budget: 1%}, {name: a, budget: 1%, promql: "
            "{bad: 'sum by (pod) (rate(x{revision}[1m]))', total: '{revision}'}}]",
            "metrics[1].promql.bad: expected a counter that only grows, got rate()",
        ),
        (
            "metrics: [{name: errors, budget: 1%}, "
            "{name: low, budget: 1%, bad: confidence<0.52}]",
            "metrics[1].bad: expected confidence< and a multiple of 0.05",
        ),
        (
            "metrics: [{name: errors, budget: 1%}, "
            "{name: low, budget: 1%, bad: confidence<0.5, slo: 1s}]",
            "metrics[1]: slo and bad are 2 metrics; keep one of them",
        ),
        ("notify: [{url: here}]", "notify[0].url: expected http:// or https://"),
        ("notify: [{format: pagerduty}]", "notify[0]: expected key with format pager"),
        (
            "notify: [{url: 'http://here', key: '${KEY}'}]",
            "notify[0]: expected key with format pagerduty, and only there",
        ),
        ("notify: [{url: 'http://here', link: here}]", "notify[0].link: expected http"),
        (
            "metrics: [{name: errors, budget: 1%, tolerance: 1%}]",
            "metrics[0]: expected budget: 1%, and no tolerance",
        ),
        (
            "metrics: [{name: errors, budget: 1%, mode: observe}]",
            "metrics: no metric with a budget decides",
        ),
        (
            "metrics: [{name: latency, slo: 1s, budget: 1%}]",
            "metrics[0].name: expected errors first",
        ),
        (
            "metrics: [{name: errors, budget: 1%}, {name: errors, budget: 2%}]",
            "metrics[1].name: a second 'errors'",
        ),
        ("steps: auto\npauseAt: [5]", "pauseAt: needs steps that are given, not auto"),
        (
            "synthetic: {rps: 1, texts: t, standsForUsers: true}",
            "synthetic.standsForUsers: needs synthetic.counts: true",
        ),
        (
            "shadow: {share: 20%, standsForUsers: true}\n"
            "synthetic: {rps: 1, texts: t, counts: true}",
            "synthetic.standsForUsers: expected as in shadow.standsForUsers",
        ),
    ],
)
def test_one_wrong_key_is_one_clear_line(line: str, said: str) -> None:
    found = _faults(SMALLEST + line + "\n")
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a mapping with target, got None"),
        ("[1]", "expected a mapping with target"),
        ("a: [", "not YAML"),
        ("steps: auto", "target: missing"),
        (
            "target: {inferenceservice: intent, backend: gateway}",
            "target: backend gateway: expected route, no inferenceservice",
        ),
        (
            "target: {inferenceservice: intent, route: intent}",
            "target: backend local: expected inferenceservice, no route",
        ),
        (
            "target: {inferenceservice: x, backend: standard}\n"
            "source: {counts: gateway}",
            "source.counts: with backend standard expected predictor",
        ),
    ],
)
def test_what_is_no_policy_at_all_is_said(text: str, said: str) -> None:
    assert said in _faults(text)[0]


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not UTF-8"):
        read(tmp_path / "binary")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            "{endpoint: no_good, backend: sagemaker}",
            "target.endpoint: expected 1 to 63 letters, digits or inner hyphens, got",
        ),
        (
            "{proxy: intent, backend: nginx, control: /run/x}",
            "target: control: expected http:// or https://, got '/run/x'",
        ),
        (
            "{proxy: intent, backend: haproxy, control: 'http://127.0.0.1/'}",
            "target: control: expected the path of a socket, got 'http://127.0.0.1/'",
        ),
    ],
)
def test_a_target_of_another_home_is_refused(target: str, said: str) -> None:
    (found,) = _faults(f"target: {target}\n")
    assert said in found
