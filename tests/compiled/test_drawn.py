"""Any pipeline: compiled and equal to scikit-learn's numbers, or it answers itself."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from predictor import compiled
from tests.support.pipelines import fitted, texts

# Tiny, odd corpora: scikit-learn warns of what it cannot estimate.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def became() -> Iterator[Counter[str]]:
    """What became of the drawn pipelines, printed at the end."""
    found: Counter[str] = Counter()
    yield found
    print("\n".join(f"{count:6} {what}" for what, count in found.most_common()))
    assert found["compiled and equal"] > sum(found.values()) / 2


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(fitted(), st.lists(texts(), min_size=12, max_size=12))
def test_a_drawn_pipeline_answers_as_its_pickle(
    became: Counter[str], pipeline: Pipeline | None, asked: list[str]
) -> None:
    if pipeline is None:
        became["refused by scikit-learn"] += 1
        return
    try:
        score = compiled.compile_pipeline(pipeline)
    except compiled.UnknownStep as step:
        became[f"answers itself: {step} is not compiled"] += 1
        return
    assert compiled.difference(score, pipeline, asked) == ""
    became["compiled and equal"] += 1
