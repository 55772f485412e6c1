"""Where real parameters and inputs come from: initialisers, weight files, word vectors.

:func:`initialise` draws the parameters of any recurrence; :func:`load` reads those of PyTorch,
Keras and ONNX with their recurrence; :func:`read_inputs` reads arrays and text.
"""

from rnnderive.weights.initialisers import INITIALISERS, Site
from rnnderive.weights.loading import Model, load
from rnnderive.weights.roles import ROLES
from rnnderive.weights.schemes import SCHEMES, initialise
from rnnderive.weights.sequences import Inputs, read_inputs, tokens_of
from rnnderive.weights.vectors import SAMPLE, WordVectors, read_vectors

__all__ = [
    "INITIALISERS",
    "ROLES",
    "SAMPLE",
    "SCHEMES",
    "Inputs",
    "Model",
    "Site",
    "WordVectors",
    "initialise",
    "load",
    "read_inputs",
    "read_vectors",
    "tokens_of",
]
