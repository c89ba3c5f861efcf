"""Recovery and erasure of the client's data (récupération et effacement; arts. 14.2.1, 18.1-18.3)."""

from __future__ import annotations

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Amount, Currency, FactModel, Name, RelationText, Sha256


class Recovery(FactModel):
    """A recovery service (Prestation de récupération des Données) and its price; art. 18.2."""

    amount: Amount | None = None
    currency: Currency = "EUR"
    details: RelationText | None = None


@fact("recovery.ordered", "A/recovery/ID", opening=Opening.OPENS, article="18.2")
class RecoveryOrdered(Recovery):
    """The client orders recovery of its data by mail (commande de récupération); art. 18.2."""


@fact("recovery.quoted", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryQuoted(Recovery):
    """OUTSCALE sent a quote (devis); art. 18.2."""


@fact("recovery.accepted", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryAccepted(Recovery):
    """The client accepted the quote (acceptation du devis); art. 18.2."""


@fact("recovery.paid", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryPaid(Recovery):
    """The client paid for the recovery (paiement du prix); art. 18.2."""

    reference: Name | None = None


@fact("recovery.delivered", "A/recovery/ID", opening=Opening.CONTINUES, article="18.2")
class RecoveryDelivered(Recovery):
    """The data were handed over (transmission des Données); art. 18.2."""


class Erasure(FactModel):
    """Erasure and the log that proves it (journal de suppression), by its digest; art. 18.3."""

    log_sha256: Sha256 | None = None


@fact("erasure.done", "A/erasure/ID", opening=Opening.OPENS, article="18.1, 18.3")
class ErasureDone(Erasure):
    """The client's data were erased (effacement des Données); arts. 18.1 and 18.3."""


@fact("erasure.certificate_requested", "A/erasure/ID", opening=Opening.CONTINUES, article="18.3")
class ErasureCertificateRequested(FactModel):
    """The client asks for the certificate (demande d'attestation), within six months; art. 18.3."""


@fact("erasure.certificate_issued", "A/erasure/ID", opening=Opening.CONTINUES, article="18.3")
class ErasureCertificateIssued(Erasure):
    """OUTSCALE certified the erasure (attestation du bon effacement); arts. 14.2.1 (12) and 18.3."""
