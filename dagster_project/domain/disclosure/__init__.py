"""Statistical disclosure control: which cells are withheld, and how the others are rounded. Pure.

`candidates.check_candidates` ▸ `primary.primary` ▸ `suppression.publishable` ▸ `complementary.protect`, which asks the
audit; `suppression.suppress` runs them in order. The audit: `relations` (what counts have to do with one another) and
`readings` (what a published number tells) make a `program`, `rollups` links those of several periods, `quantities` says
what must not be known, `audit` attacks. Tables are sequences of rows (mappings), so that no vendor is needed. Not here:
the thresholds' values (`policy/`), the declaration of the tables (`domain/tables.py`), the gate (`expectations/`).
"""
