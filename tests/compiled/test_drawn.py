"""Any pipeline: compiled and equal to scikit-learn's numbers, or it answers itself."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from predictor import compiled, scorer
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
        expected = pipeline.predict_proba(asked)
    except ValueError:  # 1.8.0 of 32-bit floats, where every text is empty
        became["refused by scikit-learn"] += 1
        return
    found = scorer.scorer(pipeline, compiled.probes(pipeline))
    rows = np.array(found.rows(asked))
    assert np.abs(rows - expected).max() <= compiled.TOLERANCE
    assert (rows.argmax(axis=1) == expected.argmax(axis=1)).all()
    why = re.sub(r"\b\d[\d.e+-]*", "n", found.reason)
    became[f"answers itself: {why}" if why else "compiled and equal"] += 1
