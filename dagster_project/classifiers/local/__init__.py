"""The local labeller: small text models in the package, no key, no network."""
