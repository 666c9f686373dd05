"""The ledger of requests to a model: each has a row before it is sent, so that nothing is paid twice or lost.

`ledger.py` is what others open; the parts behind it are claiming and settling (`requests.py`), `batches.py`, money
(`spending.py`), who is alive (`workers.py`), the key (`key.py`), tables (`schema.py`) and values (`records.py`).
"""
