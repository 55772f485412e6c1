"""How fast the gradient functions are, against what people would use instead.

Every measurement of ``benchmarks/RESULTS.md`` is one command of ``python -m benchmarks``; how to
read them is told in ``docs/speed.md``.  Derivatives written by hand live in this folder only.
"""
