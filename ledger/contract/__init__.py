"""The contract as code: pure functions of facts and an instant."""
