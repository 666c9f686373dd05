"""Contracts on eager polars frames, one module a layer; `contract.py` holds frames to them."""
