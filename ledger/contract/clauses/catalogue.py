"""The services of art. 10.1: what Annex A promises of each, and in which units art. 15.4 bills it."""

from __future__ import annotations

from ledger.contract.finding import Conclusion, clause
from ledger.contract.terms import Terms


@clause("10.1, Annexe A")
def service_commitments(service: str, terms: Terms) -> Conclusion[list[str]]:
    """The commitments that a service falls under, by name; none where Annex A promises nothing of it.

    « Le CLIENT peut souscrire une ou plusieurs des Prestations résumées ci-dessous. » « Le Service de
    Stockage Non Persistant ne dispose d’absolument AUCUNE garantie. »
    """
    return Conclusion([row.name for row in terms.commitments if service in row.services])


@clause("15.4")
def billing_units(service: str, terms: Terms) -> Conclusion[list[str]]:
    """The units in which a service is billed; none where the terms leave it to a contract of its own.

    « Il existe trois unités d’œuvres, (1) la seconde indivisible, (2) le Gibibyte ou Gibioctet (GiB) et
    (3) le Gibibyte ou Gibioctet par mois »
    """
    row = terms.services.get(service)
    return Conclusion([] if row is None else list(row.units))
