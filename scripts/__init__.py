"""The command line ``greffe``, the importers, and the demonstration."""
