"""Undertakings beside the service (arts. 1, 9.1, 12.3, 14.1, 17, 27, 29)."""

from __future__ import annotations

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import DayOrInstant, FactModel, Name, Party, RelationText


class RegulatedData(FactModel):
    """Data under special rules (données soumises à des contraintes spécifiques); art. 9.1.

    ``nature`` is a word such as ``health`` (données de santé), ``vital_importance`` (SIIV of an OIV),
    ``banking`` or ``other``: the first two need a derogatory contract.
    """

    nature: Name | None = None
    description: RelationText | None = None
    measures: RelationText | None = None


@fact("regulated_data.declared", "A/regulated-data/ID", opening=Opening.OPENS, article="9.1")
class RegulatedDataDeclared(RegulatedData):
    """The client declares specially regulated data (information du Prestataire); art. 9.1.

    ``used_from`` is since when it hosts them, when it says so: they are declared before use.
    """

    used_from: DayOrInstant | None = None


@fact("regulated_data.assessed", "A/regulated-data/ID", opening=Opening.CONTINUES, article="9.1")
class RegulatedDataAssessed(RegulatedData):
    """The risk was analysed (analyse de risque préliminaire); art. 9.1."""


class Finding(FactModel):
    """What was found or declared, by whom, and the authority concerned."""

    nature: RelationText | None = None
    authority: RelationText | None = None
    by: Party | None = None


@fact("corruption.found", "A/compliance/ID", opening=Opening.OPENS, article="27")
class CorruptionFound(Finding):
    """Corruption was found (manquement aux Lois Anti-corruption); art. 27."""


@fact("conflict.declared", "A/compliance/ID", opening=Opening.OPENS, article="27")
class ConflictDeclared(Finding):
    """A conflict of interest was declared (conflit d'intérêt); art. 27."""


@fact("export_control.found", "A/compliance/ID", opening=Opening.OPENS, article="17")
class ExportControlFound(Finding):
    """Data under export control were found (contrôle des exportations); art. 17."""


@fact("disclosure.ordered", "A/compliance/ID", opening=Opening.OPENS, article="14.1")
class DisclosureOrdered(Finding):
    """An authority ordered OUTSCALE to disclose the client's data (requête contraignante); art. 14.1."""


@fact("disclosure.told", "A/compliance/ID", opening=Opening.CONTINUES, article="14.1")
class DisclosureTold(Finding):
    """The client was told of it (information immédiate du CLIENT), or ``why_not``; art. 14.1."""

    why_not: RelationText | None = None


class Citation(FactModel):
    """One party names the other as a reference (citation en référence); arts. 12.3 and 29.

    ``by`` is who says so: who gives notice is the one that will name, who agrees or refuses is named.
    """

    by: Party | None = None


@fact("citation.noticed", "A/citation", opening=Opening.EITHER, article="12.3, 29")
class CitationNoticed(Citation):
    """A party gave notice that it will name the other (information préalable); arts. 12.3 and 29."""


@fact("citation.agreed", "A/citation", opening=Opening.EITHER, article="29")
class CitationAgreed(Citation):
    """The other party agreed in writing (accord préalable formalisé par écrit); art. 29."""


@fact("citation.refused", "A/citation", opening=Opening.EITHER, article="12.3")
class CitationRefused(Citation):
    """A party no longer wants to be named (ne plus la citer); art. 12.3."""


class Reseller(FactModel):
    """The reseller of an indirect client (Revendeur, Client Indirect); art. 1."""

    reseller: RelationText | None = None


@fact("reseller.engaged", "A", opening=Opening.CONTINUES, article="1")
class ResellerEngaged(Reseller):
    """The client buys through a reseller (Contrat Revendeur); art. 1."""


@fact("reseller.terms_accepted", "A", opening=Opening.CONTINUES, article="1")
class ResellerTermsAccepted(Reseller):
    """The indirect client accepted the terms (acceptation des CGVU par le Client Indirect); art. 1."""

    terms: Name | None = None


@fact("confidence.disclosed", "A/confidence/ID", opening=Opening.OPENS, article="16")
class ConfidenceDisclosed(FactModel):
    """Confidential information was disclosed (Informations Confidentielles); art. 16."""

    description: RelationText | None = None
    by: Party | None = None
