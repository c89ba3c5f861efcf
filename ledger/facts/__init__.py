"""The catalogue of facts: one module per group of articles; envelope: CloudEvents in, leaves out."""
