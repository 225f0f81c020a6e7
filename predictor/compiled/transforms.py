"""Compiles what stands between a vectorizer and a classifier."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from sklearn import feature_selection, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from predictor.compiled.counts import normalized, weighted
from predictor.compiled.steps import (
    Array,
    Columns,
    Features,
    Part,
    Source,
    UnknownStep,
    Weighed,
    floats,
)
from predictor.compiled.vectorizers import vectorized

SELECTORS = (
    feature_selection.SelectKBest,
    feature_selection.SelectPercentile,
    feature_selection.SelectFpr,
    feature_selection.SelectFdr,
    feature_selection.SelectFwe,
    feature_selection.GenericUnivariateSelect,
    feature_selection.SelectFromModel,
    feature_selection.VarianceThreshold,
    feature_selection.RFE,
    feature_selection.RFECV,
)


def through(step: Any, source: Source) -> Source:
    """Compile one step behind `source`. Raises UnknownStep."""
    if step is None or step == "passthrough":
        return source
    kind = type(step)
    if kind is FeatureUnion:
        return _union(step, source)
    if kind is ColumnTransformer:
        return _columns(step, source)
    if kind is Pipeline:
        for _, each in step.steps:
            source = through(each, source)
        return source
    if not isinstance(source, Features):
        return vectorized(step, source)
    if kind is TfidfTransformer:
        return Features.of(source.width, weighted(source.vector, step))
    if kind is preprocessing.Normalizer:
        return Features.of(source.width, normalized(source.vector, step.norm))
    if kind in SELECTORS:
        return _selected(step, source)
    return _scaled(source, *_affine(step))


def _union(step: FeatureUnion, source: Source) -> Features:
    """Compile features beside each other, each with its weight."""
    used = [each for each in step.transformer_list if each[1] != "drop"]
    return _beside([_part(step, name, each, source) for name, each in used])


def _columns(step: ColumnTransformer, source: Source) -> Features:
    """Compile features beside each other that all read the one column of texts."""
    used = [each for each in step.transformers_ if each[1] != "drop"]
    first = used[0][2]
    is_one = isinstance(first, str | int) and all(each[2] == first for each in used)
    if not is_one or isinstance(source, Features):
        raise UnknownStep("ColumnTransformer of more than one column of texts")
    return _beside([_part(step, name, each, source) for name, each, _ in used])


def _part(owner: Any, name: str, step: Any, source: Source) -> Features:
    """Compile one of the features of a union, with its weight there."""
    part = through(step, source)
    if not isinstance(part, Features):
        raise UnknownStep(f"texts as features ({name})")
    weights = owner.transformer_weights or {}
    if name not in weights:
        return part
    factor = np.full(part.width, float(weights[name]))
    return _scaled(part, factor, np.zeros(part.width))


def _beside(parts: Sequence[Features]) -> Features:
    ends = np.cumsum([part.width for part in parts])
    starts = [end - part.width for end, part in zip(ends, parts, strict=True)]

    def vector(text: str) -> tuple[Columns, Array]:
        found = [part.vector(text) for part in parts]
        columns = [at + start for (at, _), start in zip(found, starts, strict=True)]
        return np.concatenate(columns), np.concatenate([each for _, each in found])

    def fold(weights: Array) -> Weighed:
        shares = np.split(weights, ends[:-1])
        folded = [part.fold(own) for part, own in zip(parts, shares, strict=True)]
        each = [rows for rows, _ in folded]
        return Weighed(
            lambda text: chain.from_iterable([rows(text) for rows in each]),
            [*chain.from_iterable(more for _, more in folded)],
        )

    return Features(int(ends[-1]), vector, fold)


def _selected(step: Any, source: Features) -> Features:
    """Compile a selection: a column that was dropped has no weight and no place."""
    kept = step.get_support(indices=True)
    place = np.full(source.width, -1, dtype=np.intp)
    place[kept] = np.arange(len(kept))

    def vector(text: str) -> tuple[Columns, Array]:
        at, values = source.vector(text)
        new = place.take(at)
        return new[new >= 0], values[new >= 0]

    def fold(weights: Array) -> Weighed:
        wide = np.zeros((source.width, weights.shape[1]))
        wide[kept] = weights
        return source.fold(wide)

    return Features(len(kept), vector, fold)


def _affine(step: Any) -> tuple[Array, Array]:
    """Return what a scaler multiplies each column by, and what it then adds."""
    kind = type(step)
    if kind is preprocessing.MaxAbsScaler and not getattr(step, "clip", False):
        scale, shift = 1 / floats(step.scale_), np.zeros(len(step.scale_))
    elif kind is preprocessing.MinMaxScaler and not step.clip:
        scale, shift = floats(step.scale_), floats(step.min_)
    elif kind is preprocessing.StandardScaler:
        width = step.n_features_in_
        scale = 1 / floats(step.scale_) if step.with_std else np.ones(width)
        mean = floats(step.mean_) if step.with_mean else np.zeros(width)
        shift = -mean * scale
    elif kind is preprocessing.RobustScaler:
        width = step.n_features_in_
        scale = 1 / floats(step.scale_) if step.with_scaling else np.ones(width)
        center = floats(step.center_) if step.with_centering else np.zeros(width)
        shift = -center * scale
    else:
        raise UnknownStep(kind.__name__)
    return scale, shift


def _scaled(source: Features, scale: Array, shift: Array) -> Features:
    is_shifted = bool(shift.any())

    def vector(text: str) -> tuple[Columns, Array]:
        at, values = source.vector(text)
        values = values * scale.take(at)
        if not is_shifted:
            return at, values
        everywhere = shift.copy()
        everywhere[at] += values
        return np.arange(source.width), everywhere

    def fold(weights: Array) -> Weighed:
        found = source.fold(weights * scale[:, None])
        return _with_row(found, shift @ weights) if is_shifted else found

    return Features(source.width, vector, fold)


def _with_row(found: Weighed, more: Array) -> Weighed:
    """Add the same row to every text's."""
    rows, parts = found
    row, first = more.tolist(), parts[0]
    with_more = Part(first.read, lambda found: first.weigh(found) + more)
    return Weighed(lambda text: chain(rows(text), (row,)), [with_more, *parts[1:]])
