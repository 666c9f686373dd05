"""Statistical disclosure control: which cells are withheld, and how the others are rounded. Pure.

`candidates.check_candidates` ▸ `primary.primary` ▸ `suppression.publishable`; `suppression.suppress` runs them in
order. Tables are sequences of rows (mappings), so that no vendor is needed. Not here: the thresholds' values
(`policy/`), the declaration of the tables (`domain/tables.py`), the gate (`expectations/`).
"""
