"""The mail server's clock: stamps for commits, and the mails that arrive."""

from ledger.clock.intake import MailSettings
from ledger.clock.servers import EmbeddedMail, Mail, PostfixMail, open_mail

__all__ = ["EmbeddedMail", "Mail", "MailSettings", "PostfixMail", "open_mail"]
