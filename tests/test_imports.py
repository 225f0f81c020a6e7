"""The house's one direction of imports, and what each room may not know."""

import ast
from collections.abc import Iterator

import pytest

from scripts.local.processes import ROOT

PACKAGES = ("predictor", "training", "scripts")


def _imports(folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            if isinstance(node, ast.ImportFrom) and node.module:
                yield name, node.module
                yield from ((name, f"{node.module}.{a.name}") for a in node.names)


def _all() -> list[tuple[str, str]]:
    return [pair for folder in PACKAGES for pair in _imports(folder)]


def _is_in(module: str, *packages: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)


ADAPTERS = tuple(
    f"scripts.rollout.{name}"
    for name in (
        *(
            "traffic.local",
            "traffic.knative",
            "traffic.gateway",
            "traffic.standard",
            "metrics.scrape",
            "metrics.prometheus",
        ),
        *("journal.file", "journal.configmap", "integrations.events", "wiring"),
    )
)
PURE = (
    *(
        "decision.commands",
        "evidence.one_sample",
        "journal.chain",
        "journal.codec",
        "metrics.counters",
        "evidence.dispersion",
        "evidence.drift",
    ),
    *(
        "evidence.two_sample",
        "decision.explain",
        "evidence.interval",
        "evidence.evidence",
        "decision.draft",
        "decision.machine",
        "decision.measurement",
    ),
    *(
        "evidence.mixture",
        "decision.phases",
        "evidence.ladder",
        "journal.entries",
        "journal.replay",
        "journal.saved",
        "decision.reasons",
        "metrics.exposition",
        "state.state",
    ),
    *(
        "decision.guards",
        "journal.batch",
        "state.actions",
        "policy.metric",
        "shadow.pairs",
        "policy.policy",
        "policy.integrations",
        "policy.values",
        "policy.window",
    ),
)
RULES = {
    "predictor knows nothing of training or scripts": (
        "predictor",
        ("training", "scripts", "kubernetes"),
    ),
    "training knows nothing of servers": (
        "training",
        ("scripts", "kserve", "fastapi", "predictor.model", "predictor.app"),
    ),
    "scripts need neither kserve nor scikit-learn": (
        "scripts",
        ("kserve", "sklearn", "joblib", "predictor", "training"),
    ),
    "inference knows nothing of local mode": (
        "scripts.inference",
        ("scripts.local", "scripts.demo"),
    ),
    "artifact knows nothing of servers": (
        "predictor.artifact",
        ("kserve", "fastapi", "predictor.protocol", "sklearn"),
    ),
    "protocol is pure": (
        "predictor.protocol",
        ("fastapi", "starlette", "predictor.app", "prometheus_client"),
    ),
    "the decision is pure": (
        "scripts.rollout.decision.machine",
        ("os", "time", "pathlib", "requests", "urllib3", "scripts.local", *ADAPTERS),
    ),
    "evidence knows no policy": (
        "scripts.rollout.evidence.two_sample",
        ("scripts.rollout.policy.policy", "scripts.rollout.state.state", "pydantic"),
    ),
    "a judge knows no names and no weights' history": (
        "scripts.rollout.evidence.evidence",
        ("scripts.rollout.policy.policy", "scripts.rollout.state.state"),
    ),
    "the loop knows ports, not adapters": (
        "scripts.rollout.loop.runner",
        ("scripts.local", *ADAPTERS),
    ),
    "a replay touches nothing": (
        "scripts.rollout.journal.replay",
        ("os", "time", "pathlib", "scripts.local", *ADAPTERS),
    ),
    "rules are pure": ("scripts.local.rules", ("os", "time", "pathlib", "scripts")),
}


@pytest.mark.parametrize(("room", "forbidden"), RULES.values(), ids=RULES.keys())
def test_no_arrow_against_the_direction(room: str, forbidden: tuple[str, ...]) -> None:
    arrows = [
        pair for pair in _all() if _is_in(pair[0], room) and _is_in(pair[1], *forbidden)
    ]
    assert arrows == []


def test_training_takes_from_predictor_only_what_an_artifact_needs() -> None:
    taken = {
        module
        for name, module in _imports("training")
        if _is_in(module, "predictor") and module.count(".") == 1
    }
    assert taken == {"predictor.artifact", "predictor.errors", "predictor.features"}


def test_the_environment_is_read_at_the_predictors_door_only() -> None:
    readers = {
        path.name
        for path in (ROOT / "predictor").glob("*.py")
        if "environ" in path.read_text() or "argv" in path.read_text()
    }
    assert readers == {"__main__.py"}


def test_adapters_know_ports_and_never_each_other() -> None:
    arrows = [
        (name, module)
        for name, module in _all()
        if name in ADAPTERS[:6] and module in ADAPTERS and name != module
    ]
    assert arrows == []


def test_local_mode_is_known_to_its_adapter_only_which_the_promoters_image_lacks() -> (
    None
):
    knowing = {
        name for name, m in _imports("scripts/rollout") if _is_in(m, "scripts.local")
    }
    assert knowing == {"scripts.rollout.traffic.local", "scripts.rollout.wiring"}


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_has_neither_clock_nor_files_nor_network(name: str) -> None:
    outside = ("os", "time", "pathlib", "socket", "subprocess", "urllib3", "requests")
    room = f"scripts.rollout.{name}"
    imported = [module for importer, module in _all() if importer == room]
    assert imported
    assert [m for m in imported if _is_in(m, *outside, "rich", "random")] == []
