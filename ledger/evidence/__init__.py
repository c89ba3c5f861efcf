"""The evidence package, its report, and the verifier that needs nothing of ours."""
