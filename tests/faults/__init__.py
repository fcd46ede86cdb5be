"""Faults on purpose: kills, power cuts and hostile input; `make test-faults` tries many of them."""
