"""Who may do what, against a real server."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from served import Served, consumption, event, opened

from api.access import Access
from ledger.errors import NotRecordedError, WrongCallError


@pytest.fixture
def two_accounts(served: Served) -> Served:
    """A ledger with two clients, a price, and an incident report that names a client."""
    price = {"service": "fcu", "resource": "x", "region": "eu-west-2", "unit": "second", "unit_price": "0.01",
             "currency": "EUR", "effective": "2021-06-01"}  # fmt: skip
    answer = served.post(
        opened("ACC-1"),
        opened("ACC-2"),
        consumption("ACC-2", "C-1"),
        event("price.published", "price/P-1", price),
        event("mail.received", "mail/M-1", {"from": "someone@else.example"}),
    )
    assert answer.status_code == 201, answer.text
    return served


class TestRoles:
    """What each role may do."""

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/v1/accounts/ACC-1/contract", 200),
            ("/v1/accounts/ACC-2/contract", 403),
            ("/v1/accounts/ACC-9/contract", 403),
            ("/v1/subjects/ACC-1", 200),
            ("/v1/subjects/ACC-2", 403),
            ("/v1/subjects/ACC-2/consumption/C-1", 403),
            ("/v1/subjects/ACC-2/consumption/C-1/explanation", 403),
            ("/v1/subjects/price/P-1", 200),
            ("/v1/subjects/mail/M-1", 403),
            ("/v1/subjects/stamp", 403),
            ("/v1/facts", 403),
            ("/accounts/ACC-2/contract", 403),
            ("/subjects/ACC-2", 403),
        ],
    )
    def test_a_reader_of_one_account_sees_no_other(
        self, two_accounts: Served, path: str, status: int
    ) -> None:
        """Not by account, not by subject, not by log, not by page, and not whether it exists."""
        with two_accounts.client_of("reader", account="ACC-1") as client:
            assert client.get(path).status_code == status

    def test_a_reader_of_one_account_is_listed_that_one(self, two_accounts: Served) -> None:
        """The list of accounts is the caller's own."""
        with two_accounts.client_of("reader", account="ACC-1") as client:
            assert client.get("/v1/accounts").json() == {"accounts": ["ACC-1"]}

    def test_a_writer_records_and_reads_only_receipts(self, two_accounts: Served) -> None:
        """Whoever only writes may repeat for the receipt, and read nothing."""
        with two_accounts.client_of("writer") as client:
            assert client.post("/v1/facts", json=opened("ACC-1")).status_code == 200
            assert client.get("/v1/accounts").status_code == 403
            assert client.get("/v1/subjects/ACC-1").status_code == 403

    def test_a_writer_of_one_account_writes_no_other(self, two_accounts: Served) -> None:
        """A bound key is bound for writing too."""
        with two_accounts.client_of("writer", account="ACC-1") as client:
            assert client.post("/v1/facts", json=consumption("ACC-1", "C-9")).status_code == 201
            assert client.post("/v1/facts", json=consumption("ACC-2", "C-9")).status_code == 403

    def test_a_reader_does_not_write(self, two_accounts: Served) -> None:
        """Reading gives no right to record."""
        with two_accounts.client_of("reader") as client:
            assert client.post("/v1/facts", json=opened("ACC-3")).status_code == 403
            assert client.get("/v1/facts").status_code == 403

    def test_an_auditor_reads_all(self, two_accounts: Served) -> None:
        """The auditor reads the log and every account."""
        with two_accounts.client_of("auditor") as client:
            assert client.get("/v1/facts").status_code == 200
            assert client.get("/v1/accounts/ACC-2/contract").status_code == 200
            assert client.post("/v1/facts", json=opened("ACC-3")).status_code == 403


class TestKeys:
    """How keys are kept and end."""

    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}]
    )
    def test_without_a_key_in_force_401(self, served: Served, header: dict[str, str]) -> None:
        """The challenge says how to authenticate."""
        answer = httpx.get(f"{served.url}/v1/accounts", headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    def test_a_revoked_key_ends_at_once(self, served: Served) -> None:
        """The next call with it is refused."""
        with served.client_of("reader") as client:
            assert client.get("/v1/accounts").status_code == 200
            served.access.revoke_key(served.access.list_keys()[0].name)
            assert client.get("/v1/accounts").status_code == 401

    def test_no_key_is_kept_in_clear(self, tmp_path: Path) -> None:
        """The file holds a digest, and only its owner may read it."""
        path = tmp_path / "ledger.db.access"
        access = Access(path)
        key = access.add_key("one", ["reader"])
        access.close()
        assert key.encode() not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_wrong_keys_are_not_made(self, tmp_path: Path) -> None:
        """Names are unique, roles known, auditors unbound; only a key in force is revoked."""
        access = Access(tmp_path / "access")
        access.add_key("one", ["reader"])
        for name, roles, account in (("one", ["reader"], None), ("two", ["king"], None), ("three", [], None),
                                     ("four", ["auditor"], "ACC-1"), ("", ["reader"], None)):  # fmt: skip
            with pytest.raises(WrongCallError):
                access.add_key(name, roles, account)
        access.revoke_key("one")
        with pytest.raises(NotRecordedError):
            access.revoke_key("one")
        access.close()


class TestLink:
    """The one-time link and its session."""

    def test_a_link_opens_one_session_that_reads(self, two_accounts: Served) -> None:
        """The token is exchanged once for a cookie that scripts cannot read; it reads and never writes."""
        token = two_accounts.access.new_link_token()
        with httpx.Client(base_url=two_accounts.url) as browser:
            first = browser.get("/", params={"token": token})
            assert first.status_code == 303
            cookie = first.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
            assert "ACC-2" in browser.get("/").text
            assert browser.get("/v1/facts").status_code == 200
            assert browser.post("/v1/facts", json=opened("ACC-3")).status_code == 403
        with httpx.Client(base_url=two_accounts.url) as other:
            assert other.get("/", params={"token": token}).status_code == 401
            assert other.get("/").status_code == 401

    def test_pages_run_no_script(self, two_accounts: Served) -> None:
        """The policy forbids scripts and frames on every page."""
        policy = two_accounts.client.get("/").headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy

    def test_a_path_that_leads_nowhere(self, two_accounts: Served) -> None:
        """A browser is answered by a page, a program by a problem; both with 404."""
        page = two_accounts.client.get("/nowhere", headers={"Accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "no page /nowhere" in page.text
        for path, accept in (("/nowhere", "*/*"), ("/v1/nowhere", "text/html")):
            told = two_accounts.client.get(path, headers={"Accept": accept})
            assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
