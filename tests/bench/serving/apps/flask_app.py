"""The tutorial's server: Flask behind gunicorn."""

import os
from typing import Any

import joblib
from flask import Flask, jsonify, request

app = Flask(__name__)
pipeline = joblib.load(os.environ["MODEL"])


@app.route("/predict", methods=["POST"])  # type: ignore[untyped-decorator]
def predict() -> Any:
    """The likeliest label."""
    return jsonify({"intent": pipeline.predict([request.get_json()["text"]])[0]})
