"""Functions that compiled modules carry along: their source text, by name.

exp, tanh and sigmoid have no branches, so that LLVM computes several entries at once: x = k log 2 + r with
|r| ≤ log(2) / 2, a polynomial in r, and 2^k by its bits (Cody and Waite 1980).  tanh goes through exp(2|x|) − 1,
so that it keeps its digits near 0.  What the table of functions says for NumPy is taken from there, where it says
the same of one number.
"""

from __future__ import annotations

import math
import re

from rnnderive.language.functions import FUNCTIONS

__all__ = ["HEAD", "OWN", "SUPPORT", "exponential", "has_loop"]

# Words of the generated code's own, which no array is called by.
OWN = {"B", "T", "member", "first", "row", "i", "j", "k", "t", "work", "used", "empty", "loss", "compute"}
OWN |= {"real", "math", "np", "njit", "types", "options", "inner", "small", "loops", "Apart", "Compiler", "intrinsic"}

HEAD = '''\
import math

import numpy as np
from numba import njit
from numba.core import types
from numba.core.compiler import Compiler
from numba.extending import intrinsic

real = np.{dtype}
options = dict(error_model="numpy", fastmath={{"contract"}}, nogil=True)
inner = dict(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)  # called by compiled code only


class Apart(Compiler):
    """Compiles functions whose array arguments do not overlap, so that loops over them are vectorised."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


def small(function):
    """A function that is compiled into its callers."""
    return njit(forceinline=True, **inner)(function)


def loops(function):
    """Loops over arrays that do not overlap."""
    return njit(pipeline_class=Apart, **inner)(function)
'''

_TEXTS = [
    '''\
@intrinsic
def power_of_two(context, x):
    """2**k, where x = k + 1.5 * 2**(bits of the fraction): its last bits are those of k."""
    fraction, bias = (52, 1023) if x == types.float64 else (23, 127)

    def code(context, builder, signature, arguments):
        word = context.get_value_type(types.int64 if x == types.float64 else types.int32)
        k = builder.bitcast(arguments[0], word)
        bits = builder.shl(builder.add(k, word(bias)), word(fraction))
        return builder.bitcast(bits, context.get_value_type(x))

    return x(x), code
''',
    '''\
@small
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return real(1) / (real(1) + exp(-x))
''',
    """\
@small
def relu(x):
    return x if x > real(0) else real(0)
""",
    """\
@small
def step(x):
    return real(1) if x > real(0) else real(0)
""",
    """\
@small
def leaky_relu(x):
    return x if x > real(0) else x / real(100)
""",
    '''\
@small
def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return relu(x) + math.log1p(exp(-abs(x)))
''',
    '''\
@small
def elu(x):
    """x above zero, exp(x) - 1 below."""
    return x if x > real(0) else math.expm1(x)
''',
    '''\
@small
def normal_cdf(x):
    """The normal distribution's Phi(x)."""
    return real(0.5) * math.erfc(-x * real(0.7071067811865476))
''',
    """\
@small
def normal_pdf(x):
    return exp(real(-0.5) * x * x) * real(0.3989422804014327)
""",
    '''\
@small
def hard_sigmoid(x):
    """x / 6 + 1 / 2 between 0 and 1."""
    return min(max(x / real(6) + real(0.5), real(0)), real(1))
''',
    """\
@small
def softsign(x):
    return x / (real(1) + abs(x))
""",
    """\
@small
def sign(x):
    return real(1) if x > real(0) else real(-1) if x < real(0) else real(0)
""",
    '''\
@small
def power(x, k):
    """x**k for a whole number k > 0."""
    y = x
    for _ in range(k - 1):
        y = y * x
    return y
''',
    '''\
@loops
def softmax(x, out):
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    top = x[0]
    for k in range(1, len(x)):
        top = max(top, x[k])
    for k in range(len(x)):
        out[k] = exp(x[k] - top)
    total = real(0)
    for k in range(len(x)):
        total += out[k]
    for k in range(len(x)):
        out[k] /= total
''',
    '''\
@loops
def log_softmax(x, out):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    top = x[0]
    for k in range(1, len(x)):
        top = max(top, x[k])
    total = real(0)
    for k in range(len(x)):
        total += exp(x[k] - top)
    total = math.log(total)
    for k in range(len(x)):
        out[k] = x[k] - top - total
''',
    '''\
@njit(**inner)
def centre_and_scale(x):
    """The mean, and 1 / sqrt(variance + 1e-5)."""
    mean, variance = real(0), real(0)
    for k in range(len(x)):
        mean += x[k]
    mean /= real(len(x))
    for k in range(len(x)):
        variance += (x[k] - mean) * (x[k] - mean)
    return mean, real(1) / math.sqrt(variance / real(len(x)) + real(1e-5))
''',
    '''\
@njit(**inner)
def inverse_std(x):
    """1 / sqrt(variance + 1e-5)."""
    return centre_and_scale(x)[1]
''',
    '''\
@loops
def layer_norm(x, out):
    """(x - mean) / sqrt(variance + 1e-5)."""
    mean, scale = centre_and_scale(x)
    for k in range(len(x)):
        out[k] = (x[k] - mean) * scale
''',
    '''\
@loops
def product(u, matrix, out):
    """Rows u times a matrix: four rows of the matrix at a time for one sequence, BLAS for a batch."""
    if len(u) > 1:
        np.dot(u, matrix, out)
        return
    m, n = matrix.shape
    x, y = u[0], out[0]
    for j in range(n):
        y[j] = real(0)
    for k in range(0, m - m % 4, 4):
        a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
        row_a, row_b, row_c, row_d = matrix[k], matrix[k + 1], matrix[k + 2], matrix[k + 3]
        for j in range(n):
            y[j] += (a * row_a[j] + b * row_b[j]) + (c * row_c[j] + d * row_d[j])
    for k in range(m - m % 4, m):
        a, row_a = x[k], matrix[k]
        for j in range(n):
            y[j] += a * row_a[j]
''',
    '''\
@loops
def fill(rows, states):
    """The rows outside 1..T: each member's state, or one for all."""
    for r in range(rows.shape[0]):
        state = r % states.shape[0]
        for k in range(rows.shape[1]):
            rows[r, k] = states[state, k]
''',
    '''\
@loops
def clear(rows):
    """Zeros."""
    for r in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[r, k] = 0.0
''',
    '''\
@loops
def put(matrix, start, rows):
    """Rows of a matrix from others."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            matrix[start + i, j] = rows[i, j]
''',
    '''\
@loops
def turn(matrix, out):
    """The transpose of a matrix."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = matrix[j, i]
''',
    '''\
def array(a, *shape):
    """A contiguous array of this shape, in memory that is not protected."""
    a = np.ascontiguousarray(a if a.shape == shape else np.broadcast_to(a, shape), real)
    return a if a.flags.writeable else a.copy()
''',
    '''\
def full(a, *shape):
    """A copy in the full shape, of what may be the same for every step or member."""
    return np.array(np.broadcast_to(a, shape))
''',
]


def exponential(dtype: str) -> dict[str, str]:
    """The text of exp and of tanh in float64 or float32."""
    if dtype == "float64":
        degree, magic = 13, "6755399441055744.0"
        low, high = "-708.3", "709.78"
        first, second = "0.6931471803691238", "1.9082149292705877e-10"
    else:
        degree, magic = 7, "12582912.0"
        low, high = "-87.3", "88.72"
        first, second = "0.693359375", "-0.00021219444"
    polynomial = [f"    q = real({1 / math.factorial(degree)!r})"]
    polynomial += [f"    q = q * r + real({1 / math.factorial(k)!r})" for k in range(degree - 1, 1, -1)]

    def reduced(x: str) -> list[str]:
        return [
            f"    m = {x} * real(1.4426950408889634) + real({magic})",
            f"    k = m - real({magic})",
            f"    r = {x} - k * real({first}) - k * real({second})",
            *polynomial,
        ]

    exp = [
        "@small",
        "def exp(x):",
        '    """The exponential function; 0 and infinity where it leaves the numbers."""',
        f"    inside = real({low}) if x < real({low}) else real({high}) if x > real({high}) else x",
        *reduced("inside"),
        "    y = (real(1) + (r + r * r * q)) * power_of_two(m - real(1)) * real(2)",
        f"    return real(0) if x < real({low}) else real(np.inf) if x > real({high}) else y",
    ]
    tanh = [
        "@small",
        "def tanh(x):",
        '    """(exp(2|x|) - 1) / (exp(2|x|) + 1), with the sign of x."""',
        "    size = real(44) if abs(x) > real(22) else abs(x) + abs(x)",
        *reduced("size"),
        "    scale = power_of_two(m)",
        "    y = scale * (r + r * r * q) + (scale - real(1))",
        "    y = y / (y + real(2))",
        "    return -y if x < real(0) else y",
    ]
    return {"exp": "\n".join(exp) + "\n", "tanh": "\n".join(tanh) + "\n"}


def _name(text: str) -> str:
    return text.split("def ")[1].split("(")[0]


def _from_the_table() -> dict[str, str]:
    """The functions whose NumPy source reads as well for one number; their numbers in the type that is computed in."""
    plain = {n: f.numpy for n, f in FUNCTIONS.items() if not re.search(r"def |x\.|where", f.numpy)}
    typed = {n: re.sub(r"(?<![\w.])\d+(?![\w.])", r"real(\g<0>)", code) for n, code in plain.items()}
    return {n: f"@small\ndef {n}(x):\n    return {code}\n" for n, code in typed.items()}


SUPPORT: dict[str, str] = _from_the_table() | {_name(text): text for text in _TEXTS}


def has_loop(name: str) -> bool:
    """Whether compiled loops have an elementwise function; ``abs`` is Python's own."""
    return name in SUPPORT or name == "abs"
