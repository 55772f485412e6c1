"""Functions that generated modules carry along: their source text, by name.

All work on the last axis (or the last two, for matrices) and on any number of leading axes.
"""

from __future__ import annotations

__all__ = ["SUPPORT"]

_TEXTS = [
    '''\
def softmax(x):
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
''',
    '''\
def log_softmax(x):
    """x - log(sum(exp(x))), shifted by the maximum so that nothing overflows."""
    z = x - x.real.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))
''',
    '''\
def inverse_std(x):
    """1 / sqrt(variance + 1e-5)."""
    c = x - x.mean(-1, keepdims=True)
    return 1 / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
''',
    '''\
def layer_norm(x):
    """(x - mean) / sqrt(variance + 1e-5)."""
    return (x - x.mean(-1, keepdims=True)) * inverse_std(x)
''',
    '''\
def one_hot(target, classes, axes, dtype):
    """Integer classes, which have no axis of their own after the leading ones, as one-hot vectors."""
    target = np.asarray(target)
    is_class = target.dtype.kind in "iu" and target.ndim == axes
    return np.eye(classes, dtype=dtype)[target] if is_class else target
''',
    '''\
def full(a, *shape):
    """A copy in the full shape, of what may be the same for every step or member."""
    return np.array(np.broadcast_to(a, shape))
''',
    '''\
def squared_error(y, target):
    """Half the squared distance."""
    difference = y - target
    return 0.5 * np.einsum("...i,...i->...", difference, difference)[..., None]
''',
    '''\
def cross_entropy(logits, target):
    """-sum(target * log softmax(logits))."""
    return -(target * log_softmax(logits)).sum(-1, keepdims=True)
''',
    '''\
def binary_cross_entropy(logits, target):
    """sum(softplus(logits) - target * logits)."""
    return (softplus(logits) - target * logits).sum(-1, keepdims=True)
''',
    '''\
def log_loss(p, target):
    """-sum(target * log(p) + (1 - target) * log(1 - p))."""
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(-1, keepdims=True)
''',
    '''\
def gram(a, b):
    """The sum over all leading axes of a's columns times b's rows: one matrix product."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])
''',
    '''\
def over_batch(a, axes):
    """The sum over the batch axis, if there is one before the last `axes`."""
    return a.sum(tuple(range(a.ndim - axes))) if a.ndim > axes else a
''',
    '''\
def padded(a, before, after, value):
    """Steps of `value` before the first and after the last."""
    out = np.empty((before + len(a) + after, *a.shape[1:]), a.dtype)
    out[:before], out[before:before + len(a)], out[before + len(a):] = value, a, value
    return out
''',
    '''\
def impulse(value, step, shape, dtype):
    """A sequence that is zero but for one step."""
    out = np.zeros(shape, dtype)
    out[step] = value
    return out
''',
    '''\
def window(a, start, stop):
    """A sequence that is zero outside start..stop."""
    out = np.zeros_like(a)
    out[max(start, 0):max(stop, 0)] = a[max(start, 0):max(stop, 0)]
    return out
''',
    '''\
def stacked(*parts, axis):
    """Parts one after the other along an axis, whatever their leading axes."""
    lead = np.broadcast_shapes(*(p.shape[:axis] for p in parts))
    return np.concatenate([np.broadcast_to(p, (*lead, *p.shape[axis:])) for p in parts], axis)
''',
    '''\
def blocks(*rows):
    """A matrix of blocks, whatever their leading axes."""
    lead = np.broadcast_shapes(*(b.shape[:-2] for row in rows for b in row))
    wide = [np.concatenate([np.broadcast_to(b, (*lead, *b.shape[-2:])) for b in row], -1) for row in rows]
    return np.concatenate(wide, -2)
''',
    '''\
def kron(a, b):
    """The Kronecker product of the last two axes."""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    shape = (a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])
    return product.reshape(*product.shape[:-4], *shape)
''',
    '''\
def vec(a):
    """The columns of the last two axes, one after the other."""
    return a.swapaxes(-1, -2).reshape(*a.shape[:-2], -1)
''',
    '''\
def commutation(rows, columns, dtype):
    """K with K vec(A) = vec(A.T)."""
    n = rows * columns
    return np.eye(n, dtype=dtype)[np.arange(n).reshape(columns, rows).T.ravel()]
''',
]

SUPPORT: dict[str, str] = {text.split("(")[0].removeprefix("def "): text for text in _TEXTS}
