"""Where real parameters and inputs come from: initialisers, weight files, word vectors.

:func:`initialise` draws the parameters of any recurrence; :func:`load` reads those of PyTorch,
Keras and ONNX with their recurrence; :func:`read_inputs` reads arrays and text.
"""

from rnnderive.weights.initialisers import INITIALISERS, Site
from rnnderive.weights.loading import Model, load
from rnnderive.weights.schemes import SCHEMES, initialise

__all__ = ["INITIALISERS", "SCHEMES", "Model", "Site", "initialise", "load"]
