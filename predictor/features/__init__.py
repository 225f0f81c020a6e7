"""Text features that a pickled pipeline imports; the predictor's image needs them too.

Pure functions of one text, wrapped as scikit-learn transformers. Several steps of a
pipeline read the same text in turn, so the last result of each is cached.
"""

from predictor.features.lexicon import LexiconScores
from predictor.features.messages import Message, message
from predictor.features.shape import Shape, shape
from predictor.features.spelling import Spelling
from predictor.features.words import body, is_negation, negation_ngrams, tokens

__all__ = [
    "LexiconScores",
    "Message",
    "Shape",
    "Spelling",
    "body",
    "is_negation",
    "message",
    "negation_ngrams",
    "shape",
    "tokens",
]
