"""Compiles a fitted scikit-learn pipeline to a function of one text.

A linear model adds the weights of a text's terms, class by class, so a text needs no
matrix. `analysis` cuts a text into terms, `vectorizers` and `transforms` give them
columns and values, `classifiers` add the weights up and make probabilities of the sums.
What is not known here raises UnknownStep, and the pipeline itself answers.
"""

from predictor.compiled.classifiers import Compiled, compile_pipeline
from predictor.compiled.comparison import (
    TOLERANCE,
    difference,
    is_tied,
    probes,
    tied,
)
from predictor.compiled.steps import UnknownStep

__all__ = [
    "TOLERANCE",
    "Compiled",
    "UnknownStep",
    "compile_pipeline",
    "difference",
    "is_tied",
    "probes",
    "tied",
]
