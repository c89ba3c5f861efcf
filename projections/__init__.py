"""Questions that the record answers, one file each; ``PROJECTIONS`` holds them by name."""

from __future__ import annotations

from typing import Final

from projections.acceptance import ACCEPTANCE
from projections.balance import BALANCE
from projections.contract import CONTRACT
from projections.deadlines import DEADLINES
from projections.invoices import INVOICES
from projections.liability import LIABILITY
from projections.notices import NOTICES
from projections.notifications import NOTIFICATIONS
from projections.obligations import OBLIGATIONS
from projections.question import Projection
from projections.reservations import RESERVATIONS
from projections.sla import SLA
from projections.support import SUPPORT
from projections.suspensions import SUSPENSIONS
from projections.terms import TERMS
from projections.timeline import TIMELINE
from projections.usage import USAGE

PROJECTIONS: Final[dict[str, Projection]] = {
    projection.name: projection
    for projection in (
        CONTRACT,
        TERMS,
        SUSPENSIONS,
        NOTICES,
        ACCEPTANCE,
        INVOICES,
        BALANCE,
        USAGE,
        RESERVATIONS,
        SLA,
        SUPPORT,
        LIABILITY,
        NOTIFICATIONS,
        OBLIGATIONS,
        DEADLINES,
        TIMELINE,
    )
}
"""Every projection by the name it is asked under."""
