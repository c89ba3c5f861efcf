"""Professional services (Services Professionnels): order, progress, acceptance, production."""

from __future__ import annotations

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Amount, BillingText, Currency, FactModel, Percent

ARTICLE = "Services Professionnels"


@fact("works.ordered", "A/works/ID", opening=Opening.OPENS, article=ARTICLE)
class WorksOrdered(FactModel):
    """Professional services were ordered (commande): 30 % on order. ``amount`` is without VAT."""

    amount: Amount | None = None
    currency: Currency = "EUR"
    description: BillingText | None = None


@fact("works.progressed", "A/works/ID", opening=Opening.CONTINUES, article=ARTICLE)
class WorksProgressed(FactModel):
    """The works advanced (avancement): 50 % by progress. ``progress`` is in percent of the whole."""

    progress: Percent
    description: BillingText | None = None


@fact("works.accepted", "A/works/ID", opening=Opening.CONTINUES, article=ARTICLE)
class WorksAccepted(FactModel):
    """The client accepted the works (recette du Projet): 20 % on acceptance."""

    description: BillingText | None = None


@fact("works.put_in_production", "A/works/ID", opening=Opening.CONTINUES, article=ARTICLE)
class WorksPutInProduction(FactModel):
    """The results are used in production (mise en production), which is acceptance (vaut recette)."""

    description: BillingText | None = None
