"""Backward passes in the styles that people write them in, each right and with one real mistake."""
