"""The mail server's clock: stamps for commits, and the mails that arrive."""
