"""The words of the pages: each French term beside its English one, and which columns a table shows."""

from __future__ import annotations

from typing import Any

TABS: dict[str, tuple[str, str]] = {
    "contract": ("Contract", "contrat"),
    "terms": ("Terms", "conditions générales"),
    "acceptance": ("Acceptance", "recette"),
    "invoices": ("Invoices", "factures"),
    "balance": ("Balance", "solde"),
    "usage": ("Usage", "consommation"),
    "notifications": ("Notifications", "notifications"),
    "reservations": ("Reservations", "réservations"),
    "suspensions": ("Suspensions", "suspensions"),
    "notices": ("Formal notices", "mises en demeure"),
    "sla": ("Service levels", "niveaux de service"),
    "support": ("Support", "support"),
    "deadlines": ("Deadlines", "échéances"),
    "obligations": ("Obligations", "obligations"),
    "liability": ("Liability", "responsabilité"),
    "timeline": ("Timeline", "chronologie"),
}

PAGED = frozenset({"acceptance", "timeline", "notifications", "invoices"})

REMARKS: dict[str, str] = {
    "usage": "Indicative: what the meters said at the public tariff; the invoice binds (art. 15.3).",
}
"""What is said before an answer, whatever is in it."""

_FRENCH: dict[str, str] = {
    "none": "aucun",
    "incomplete": "dossier incomplet",
    "active": "en vigueur",
    "in_verification": "en vérification",
    "under_notice": "en demeure",
    "suspended": "suspendu",
    "terminating": "en cours de résiliation",
    "terminated": "résilié",
    "provisional": "recette provisoire",
    "partly_final": "recette définitive en partie",
    "final": "recette définitive",
    "reserved": "réservée",
    "admissible": "recevable",
    "inadmissible": "irrecevable",
    "out_of_time": "hors délai",
    "undocumented": "non documentée",
    "irregular": "irrégulière",
    "withdrawn": "levée",
    "lapsed": "caduque",
    "undetermined": "indéterminée",
    "open": "ouverte",
    "disputed": "contestée",
    "settled": "réglée entre les parties",
    "irrevocably_accepted": "irrévocablement acceptée",
    "in_time": "dans le délai",
    "late": "tardive",
    "credited": "avoir",
    "paid": "payée",
    "overdue": "en retard",
    "part_paid": "payée en partie",
    "due": "exigible",
    "running": "en cours",
    "remedied": "remédié",
    "unremedied": "non remédié",
    "arguable": "discutable",
    "upcoming": "à venir",
    "met": "respectée",
    "missed": "manquée",
    "granted": "accordée",
    "excluded": "exclue",
    "lost": "perdue",
    "no_breach": "sans manquement",
}

_ALARMING = frozenset(
    {"overdue", "terminated", "suspended", "out_of_time", "irregular", "late", "unremedied", "missed", "lost"}
)
_PENDING = frozenset(
    {
        "provisional", "partly_final", "open", "due", "part_paid", "running", "terminating", "under_notice",
        "disputed", "upcoming", "arguable", "undetermined", "in_verification", "incomplete", "reserved",
    }
)  # fmt: skip
_SETTLED = frozenset(
    {
        "active",
        "final",
        "paid",
        "irrevocably_accepted",
        "admissible",
        "in_time",
        "settled",
        "remedied",
        "met",
        "granted",
    }
)

_COLUMNS: dict[str, tuple[str, ...]] = {
    "deliveries": (
        "subject", "service", "resource_id", "from", "to", "status", "final_from", "final_after", "parts",
    ),
    "reserves": ("subject", "stamped_at", "covers", "status"),
    "invoices": (
        "number", "issued_at", "total", "contestable_until", "acceptance", "dispute", "payment", "unpaid",
        "late_indemnity", "late_interest", "subject",
    ),
    "usage": ("month", "region", "service", "resource", "metered", "billed", "unit", "prices", "amount"),
    "notifications": ("legal_time", "kind", "to", "valid", "subject"),
    "timeline": ("position", "legal_time", "type", "summary", "subject", "recorded_at"),
    "deadlines": ("at", "for", "what", "status", "subject", "article", "forfeit_after", "met_by"),
    "obligations": ("article", "who", "what", "status", "act_by", "subject", "met_by", "note"),
    "reservations": ("subject", "firm", "owed", "cancellation", "failed_conditions", "credit_note"),
    "suspensions": ("subject", "ground", "from", "to", "lawful", "billed", "why_not"),
    "notices": ("subject", "by", "act_by", "forfeit_after", "status", "termination_allowed", "why_not"),
    "windows": (
        "commitment", "service", "resource_id", "period", "promised", "observed", "penalty", "applies",
    ),
    "claims": ("subject", "status", "credit", "expires_at"),
    "liability": ("subject", "by", "kind", "claimed", "cap", "why"),
    "support": ("subject", "severity", "response", "restoration", "applies"),
    "versions": ("version", "effective", "substantial", "binds_from", "acceptance", "why_not"),
    "conditions": ("subject", "document", "topic", "value", "prevails", "since"),
}  # fmt: skip

_SAID_ELSEWHERE = frozenset({("deadlines", "act_by")})
"""Fields that another column of their table repeats."""

_LABELS: dict[str, str] = {
    "resource_id": "resource",
    "at": "safe before",
    "act_by": "safe before",
    "forfeit_after": "lost from",
    "final_from": "first part final from",
    "final_after": "wholly final after",
    "contestable_until": "contestable before",
    "late_indemnity": "indemnity",
    "late_interest": "interest",
    "legal_time": "legal time",
    "recorded_at": "recorded",
    "issued_at": "issued",
    "stamped_at": "stamped",
    "sla_credits": "SLA credits",
    "terms_in_force": "terms in force",
    "formed_at": "formed",
}


def label(key: str) -> str:
    """A column's or a field's name for people."""
    return _LABELS.get(key, key.replace("_", " "))


def word(value: object) -> dict[str, str]:
    """A value for people: its text, its French term if it is one of the contract's, and its tone."""
    text = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else None
    shown = text or str(value)
    if shown not in _FRENCH:
        return {"text": shown, "french": "", "tone": ""}
    tones = {"alarm": _ALARMING, "pending": _PENDING, "calm": _SETTLED}
    tone = next((name for name, values in tones.items() if shown in values), "plain")
    return {"text": shown.replace("_", " "), "french": _FRENCH[shown], "tone": tone}


def columns(table: str, rows: list[dict[str, Any]]) -> list[str]:
    """The columns of a table, in reading order; whatever else the rows hold comes last."""
    held = list(dict.fromkeys(key for row in rows for key in row))
    known = [key for key in _COLUMNS.get(table, ()) if key in held]
    return known + [key for key in held if key not in known and (table, key) not in _SAID_ELSEWHERE]
