"""How the gradient behaves: norms, spectra, exponents, bounds, contributions, paths."""
