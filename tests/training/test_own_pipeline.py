"""README's section "Your own pipeline", word by word, by three strangers."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest
import requests
from sklearn.pipeline import Pipeline

from scripts.local.processes import ROOT
from tests.support import documentation
from tests.support.own_pipelines import OWN
from tests.support.predictors import predictor

TEXTS = ["wo ist es, the match", "WIN <b>money</b> at the sea", "grüß Gott, rain"]


@pytest.mark.parametrize("make", OWN)
def test_a_strangers_pickle_is_packed_and_served(
    make: Callable[[], Pipeline], tmp_path: Path
) -> None:
    section = documentation.text("README.md").partition("## Your own pipeline")[2]
    (command,) = re.findall(r"^python -m training\.package .*$", section, re.MULTILINE)
    pipeline = make()
    joblib.dump(pipeline, tmp_path / "mine.pkl")
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "compiled" in done.stdout
    folder = tmp_path / "models" / "mine"
    with predictor(tmp_path, f"--model_dir={folder}") as server:
        url = f"{server.url}/v1/models/intent:predict"
        answers = requests.post(url, json={"instances": TEXTS}, timeout=10).json()
        page = requests.get(f"{server.url}/metrics", timeout=10).text
    found = [each["label"] for each in answers["predictions"]]
    assert found == [str(label) for label in pipeline.predict(TEXTS)]
    assert 'intent_text_cost_seconds{answered_by="compiled",model="intent"' in page
