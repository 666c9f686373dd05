"""Classifiers behind one interface: `local` (embedded, default) and `claude`."""
