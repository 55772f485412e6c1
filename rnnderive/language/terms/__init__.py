"""Terms: the right-hand sides of recurrence equations, as SymPy matrix expressions.

A term is immutable and has a shape.  Its class says what it means (:meth:`Term.value`) and
how it is written (:meth:`Term.math`); what it does under differentiation stands in the rule
table of :mod:`rnnderive.calculus`.  The operators ``+ - *`` are elementwise, ``@`` is the
matrix product, ``.T`` the transpose, as in the language's text.  A size of 1 goes with any
size.  SymPy's own ``MatAdd`` and ``MatMul`` are not used: they reorder what the author wrote.
"""

from rnnderive.language.terms.arithmetic import (
    Block,
    Plus,
    Power,
    Product,
    Stack,
    Times,
    Transpose,
    block,
    common_shape,
    extent,
    is_inverse,
    plus,
    power,
    product,
    split_sign,
    stack,
    times,
    transpose,
)
from rnnderive.language.terms.base import Shape, Term, as_term
from rnnderive.language.terms.formulas import (
    BATCH,
    T,
    dimension_math,
    index_math,
    number_code,
    number_math,
    t,
)
from rnnderive.language.terms.jacobians import Blocks, Commutation, Diag, Kron, Unvec, Vec, blocks
from rnnderive.language.terms.leaves import At, Constant, Extent, Eye, Number, Ones, Parameter, Zeros
from rnnderive.language.terms.losses import BinaryCrossEntropy, CrossEntropy, LogLoss, Loss, SquaredError
from rnnderive.language.terms.named import (
    LAYER_NORM_EPSILON,
    Apply,
    InverseStd,
    LayerNorm,
    LogSoftmax,
    Softmax,
    SumEntries,
    Unary,
)
from rnnderive.language.terms.time import BatchSum, TimeSum, Where, conditional, where
from rnnderive.language.terms.walking import at_horizon, at_time, members, parts, shift, transform

__all__ = [
    "BATCH",
    "LAYER_NORM_EPSILON",
    "Apply",
    "At",
    "BatchSum",
    "BinaryCrossEntropy",
    "Block",
    "Blocks",
    "Commutation",
    "Constant",
    "CrossEntropy",
    "Diag",
    "Extent",
    "Eye",
    "InverseStd",
    "Kron",
    "LayerNorm",
    "LogLoss",
    "LogSoftmax",
    "Loss",
    "Number",
    "Ones",
    "Parameter",
    "Plus",
    "Power",
    "Product",
    "Shape",
    "Softmax",
    "SquaredError",
    "Stack",
    "SumEntries",
    "T",
    "Term",
    "TimeSum",
    "Times",
    "Transpose",
    "Unary",
    "Unvec",
    "Vec",
    "Where",
    "Zeros",
    "as_term",
    "at_horizon",
    "at_time",
    "block",
    "blocks",
    "common_shape",
    "conditional",
    "dimension_math",
    "extent",
    "index_math",
    "is_inverse",
    "members",
    "number_code",
    "number_math",
    "parts",
    "plus",
    "power",
    "product",
    "shift",
    "split_sign",
    "stack",
    "t",
    "times",
    "transform",
    "transpose",
    "where",
]
