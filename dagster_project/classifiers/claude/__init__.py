"""The Claude labeller: the codebook asked in one request a conversation and stage, each reply checked again.

Pure parts: `prompt.py` (facets to request), `window.py` (conversation to bounded document), `reply.py` (reply to
answers). The rest sends, waits, pays and remembers.
"""
