"""What is measured besides the race: derivation, memory, the start, and tensorgrad's unrolled step.

Each study is a function ``study(quick) -> dict`` of numbers for the file of results.
"""
