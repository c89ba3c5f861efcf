"""An evidence package: an honest one is accepted by every program, an altered one refused and the harm named."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import bagit
import pytest
from evidence_factory import SmallLedger, failures, files_of, rebagged, verified, written, zipped
from log_factory import SmallLog
from openssl_authority import OpensslAuthority, served

from ledger.contract import terms
from ledger.contract.basis import basis
from ledger.evidence import gather as gathering
from ledger.evidence import verifier
from ledger.evidence.gather import Disclosure
from ledger.evidence.report import leaf_lines
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint
from ledger.log.keys import Keys
from ledger.log.merkle import leaf_hash
from ledger.log.tiles import width_at
from ledger.log.tokens import Authority


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return SmallLedger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module")
def honest(small):
    return small.package()


@pytest.fixture
def judge(tmp_path):
    """What fails when a package is verified."""
    return lambda package, **options: failures(verified(package, tmp_path, **options))


def bags(folder, package):
    """The package unzipped, as the library bagit reads it."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        archive.extractall(folder)
    return bagit.Bag(str(folder))


class TestHonest:
    """A package that nobody touched."""

    def test_nothing_fails(self, honest, judge, small):
        """Every check passes, with the key pinned too."""
        assert judge(honest) == []
        assert judge(honest, pinned=[key.text for key in small.keys.verifier_keys]) == []

    def test_equal_inputs_give_equal_bytes(self, honest, small):
        """The same package made again is the same file."""
        assert small.package() == honest

    def test_it_is_a_bag(self, honest, tmp_path):
        """The library bagit accepts the unzipped package, and refuses it with one byte altered."""
        assert bags(tmp_path, honest).validate()
        leaf = next((tmp_path / "data" / "leaves").iterdir())
        leaf.write_bytes(leaf.read_bytes().replace(b"1", b"2", 1))
        with pytest.raises(bagit.BagValidationError):
            bagit.Bag(str(tmp_path)).validate()

    def test_the_verifier_inside_runs_alone(self, honest, small, tmp_path):
        """``python verify.py`` of the package accepts it, without the project on its path, and says what it cannot."""
        (tmp_path / "package.zip").write_bytes(honest)
        (tmp_path / "verify.py").write_bytes(files_of(honest)["data/verify.py"])
        command = [sys.executable, "-I", "-S", "verify.py", "package.zip"]
        done = subprocess.run(
            [*command, "--key", small.key],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout.decode()
        assert "ML-DSA-44" in done.stdout.decode()
        assert "A lie at entry".lower() in done.stdout.decode().lower()
        (tmp_path / "package.zip").write_bytes(honest.replace(b"ACC-1/reserve/1", b"ACC-1/reserve/2"))
        done = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 1
        assert json.loads(done.stdout)["accepted"] is False

    def test_it_never_says_qualified(self, honest):
        """No file but the verifier's own source holds the word; the verifier does not say it either."""
        for name, data in files_of(honest).items():
            assert b"qualified" not in data.lower().replace(b"unqualified", b""), name

    def test_without_a_key_it_says_so(self, honest, tmp_path):
        """The key is told to be the package's own word."""
        found = verified(honest, tmp_path)
        assert ("key", verifier.NOT_CHECKED) in {(check.name, check.result) for check in found.checks}
        assert found.checks[-1].sentence == verifier.LIMITS

    def test_another_key_is_refused(self, honest, judge, tmp_path):
        """A pinned key that did not sign fails."""
        other = Keys.open(tmp_path / "keys", "greffe.test/outscale/cgv-2021-06").verifier_keys
        assert len(judge(honest, pinned=[key.text for key in other])) == 2

    def test_the_verifier_is_for_old_pythons(self):
        """It parses as Python 3.9, and imports the standard library alone."""
        tree = ast.parse(Path(verifier.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))
        imported = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names

    def test_it_writes_a_leaf_as_the_report_does(self, honest):
        """The verifier's form of a leaf is the report's."""
        for name, data in files_of(honest).items():
            if name.startswith("data/leaves/"):
                clear = {"a": "b"}
                theirs = list(verifier.leaf_lines(7, verifier.read_leaf(data), clear))
                assert theirs == list(leaf_lines(7, data, clear))

    def test_what_openssl_cannot_is_checked_when_told_how(self, honest, small, tmp_path):
        """With a function for ML-DSA-44 its signatures are checked, and a wrong answer is a failure."""
        for answer, fails in ((True, False), (False, True)):
            found = verified(honest, tmp_path, extra={verifier.ML_DSA_44: lambda *_, told=answer: told})
            assert bool(failures(found)) is fails
            assert not any(
                "ML-DSA-44" in check.sentence
                for check in found.checks
                if check.result == verifier.NOT_CHECKED
            )


class TestDisclosure:
    """The exporter chooses which personal values are shown."""

    def test_none(self, small, judge):
        """Nothing personal stands in the package; each value is listed as omitted."""
        package = small.package(disclosure=Disclosure())
        assert judge(package) == []
        files = files_of(package)
        assert b"client.example" not in b"".join(files.values())
        assert json.loads(files["data/disclosed.json"]) == []
        assert {row["what"] for row in json.loads(files["data/omissions.json"])} >= {"value", "mail"}

    def test_a_field(self, small, judge):
        """A field by its path is disclosed, and no other."""
        package = small.package(disclosure=Disclosure("none", frozenset({"/data/email"})))
        assert judge(package) == []
        rows = json.loads(files_of(package)["data/disclosed.json"])
        assert [row["value"] for row in rows] == ["a@client.example"]

    def test_a_value_that_is_neither_is_named(self, small, honest, judge):
        """A value that is not disclosed must be listed: the ledger's own signature does not help."""
        files = files_of(honest)
        files["data/disclosed.json"] = b"[]"
        assert any("neither disclosed nor listed" in row for row in judge(rebagged(files, small.keys)))


def changed(files, name, old, new):
    """The files with one of them changed."""
    assert old in files[name], name
    return {**files, name: files[name].replace(old, new, 1)}


class TestInsider:
    """Alterations by somebody who holds the ledger's key and signs the package again."""

    @pytest.fixture
    def refused(self, honest, small, judge):
        """What fails once the files were changed, bagged and signed again."""

        def refused(change):
            found = judge(rebagged(change(files_of(honest)), small.keys))
            assert found
            return " | ".join(found)

        return refused

    @pytest.mark.parametrize("part", ["data", "salt", "type", "subject"])
    def test_a_leaf(self, refused, part):
        """One changed field of a leaf is found by its proof and by its commit's stamp."""
        old = {"data": b'"3600"', "salt": b'"salt":"', "type": b"consumption.", "subject": b"ACC-1/c"}[part]
        new = {"data": b'"3601"', "salt": b'"salt":"A', "type": b"consumptiom.", "subject": b"ACC-3/c"}[part]
        found = refused(lambda files: changed(files, "data/leaves/6.json", old, new))
        assert "leaf 6" in found

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (b'"v":1', b'"v":1.0', "float"),
            (b'"v":1', b'"v":1,"v":1', "twice"),
            (b'"v":1}', b'"v":1}\n', "re-encode"),
            (b'"v":1}', b'"v": 1}', "re-encode"),
            (b'"v":1}', b'"v":1,"\xc3\xa9":1}', "ASCII"),
            (b'"v":1', b'"v":true', "v is 1"),
            (b'"v":1}', b'"v":1,"w":1}', "unknown"),
        ],
    )
    def test_a_leaf_written_otherwise(self, honest, old, new, why):
        """Floats, duplicate keys, spaces, trailing line feeds and unknown fields are refused as such."""
        leaf = files_of(honest)["data/leaves/6.json"].replace(old, new)
        with pytest.raises(verifier.RefusedError, match=why):
            verifier.read_leaf(leaf)

    def test_another_unicode_form(self, refused, small):
        """NFC and NFD are different bytes: a value that looks the same does not open the commitment."""

        def change(files):
            rows = json.loads(files["data/disclosed.json"])
            rows[0]["value"] = rows[0]["value"].replace("e", "e\u0301", 1)
            return {**files, "data/disclosed.json": verifier.canonical(rows)}

        assert "not the one that was recorded" in refused(change)

    def test_a_leaf_left_out(self, refused):
        """A fact that the package says to cover and does not hold is named."""

        def change(files):
            about = json.loads(files["data/package.json"])
            about["leaves"] -= 1
            kept = {
                name: data for name, data in files.items() if not re.search(r"/(leaves|proofs)/6\.", name)
            }
            return {**kept, "data/package.json": verifier.canonical(about)}

        assert "leaf 6 is absent, and not listed" in refused(change)

    def test_a_range_with_a_gap(self, small, judge):
        """A fact omitted from a range that is said to be covered is named; listed, it is told."""
        content = small.content()
        whole = range(content.head.checkpoint.size)
        gaps = [at for at in whole if at not in content.leaves]
        assert gaps
        package = written(_with(content, covers=whole), small.keys)
        assert any(f"leaf {gaps[0]} is absent" in row for row in judge(package))

    @pytest.mark.parametrize("what", ["index", "hash", "longer", "shorter", "padding"])
    def test_a_proof(self, refused, what):
        """A proof of another index, with a changed, added or missing hash, or padded, is refused."""

        def change(files):
            name = "data/proofs/6.tlog-proof"
            head, blank, note = files[name].partition(b"\n\n")
            lines = head.split(b"\n")
            altered = {
                "index": [*lines[:1], b"index 7", *lines[2:]],
                "hash": [*lines[:-1], verifier.encode_base64(b"x" * 32).encode()],
                "longer": [*lines, lines[-1]],
                "shorter": lines[:-1],
                "padding": [*lines[:-1], lines[-1].rstrip(b"=")],
            }[what]
            return {**files, name: b"\n".join(altered) + blank + note}

        assert "leaf 6" in refused(change)

    def test_an_interior_node_as_a_leaf(self, honest):
        """The bytes below an interior node are no leaf, whatever proof comes with them."""
        with pytest.raises(verifier.RefusedError):
            verifier.read_leaf(b"\x01" + b"x" * 64)

    def test_a_rewritten_tree(self, refused, small):
        """A checkpoint of another root, signed with the real key, is not what the proofs lead to."""

        def change(files):
            size = json.loads(files["data/package.json"])["size"]
            other = Checkpoint(small.keys.name, size, b"r" * 32)
            note = SignedCheckpoint(other, small.keys.sign(other)).to_bytes()
            return {**files, f"data/checkpoints/{size}.note": note}

        assert "consistency" in refused(change)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"\n13\n", b"\n013\n"), (b"\n13\n", b"\n13\r\n"), (b"\n\n", b"\n\n\n"), (b"\n13\n", b"\n13\nmore\n"),
            (b"\xe2\x80\x94 ", b"- "), (b"\n13\n", b"\n14\n"),
        ],
    )  # fmt: skip
    def test_a_malformed_checkpoint(self, refused, old, new):
        """Leading zeroes, carriage returns, further blank lines, extensions and other dashes are refused."""
        assert "checkpoints/13.note" in refused(
            lambda files: changed(files, "data/checkpoints/13.note", old, new)
        )

    def test_a_checkpoint_of_an_unknown_key_only(self, refused, tmp_path, small):
        """A checkpoint that no key of the package signed is refused."""
        other = Keys.open(tmp_path / "other", small.keys.name)

        def change(files):
            found = SignedCheckpoint.parse(files["data/checkpoints/13.note"]).checkpoint
            return {
                **files,
                "data/checkpoints/13.note": SignedCheckpoint(found, other.sign(found)).to_bytes(),
            }

        assert "the checkpoint of 13 leaves bears no valid Ed25519 signature" in refused(change)

    def test_a_checkpoint_with_a_bad_signature(self, refused):
        """A known key's signature that is not over the text is refused, by name."""

        def change(files):
            note = files["data/checkpoints/13.note"].split(b"\n")
            other = files["data/checkpoints/11.note"].split(b"\n")
            note[4] = other[4]
            return {**files, "data/checkpoints/13.note": b"\n".join(note)}

        assert "the checkpoint of 13 leaves: the signature that says to be of" in refused(change)

    def test_a_missing_consistency_proof(self, refused):
        """Checkpoints that nothing ties together are named."""

        def change(files):
            return {name: data for name, data in files.items() if name != "data/consistency/5-9.proof"}

        assert "continues the one of 5" in refused(change)

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (b"X-Greffe-Digest: ", b"X-Greffe-Digest: 0", "does not end with what was sent"),
            (b" id ", b" id 4", "the server's own line says"),
            (b" Nov ", b" Oct ", "gives another time"),
        ],
    )
    def test_a_stamping_message(self, refused, honest, old, new, why):
        """A changed message, another queue id or another time of receipt is named."""
        name = "data/messages/5.eml"
        data = files_of(honest)[name]
        if old == b" Nov ":
            old = re.search(rb";\r\n\t\w+, \d+( \w{3} )", data).group(1)
            new = b" Jan " if old != b" Jan " else b" Jul "
        top, begin, rest = data.partition(b"X-Greffe-Digest: ")
        sent = begin + rest
        altered = top + sent.replace(old, new, 1) if old in begin else top.replace(old, new, 1) + sent
        assert why in refused(lambda files: {**files, name: altered})

    def test_a_message_left_out(self, refused):
        """A stamping message that is missing without being listed is named."""
        found = refused(
            lambda files: {name: data for name, data in files.items() if name != "data/messages/5.eml"}
        )
        assert "the message of the stamp at 5 is missing" in found

    def test_a_mail(self, refused, honest):
        """A cited mail with one other letter is not the one that was recorded."""
        name = next(
            name for name, data in files_of(honest).items() if "/mails/" in name and b"formulons" in data
        )
        assert "is not the one that was recorded" in refused(
            lambda files: changed(files, name, b"formulons", b"formulans")
        )

    def test_the_facts_of_a_commit(self, refused):
        """Other leaf hashes than the stamp binds are named."""

        def change(files):
            rows = json.loads(files["data/commits.json"])
            rows[0]["hashes"] = rows[0]["hashes"][::-1]
            return {**files, "data/commits.json": verifier.canonical(rows)}

        assert "binds other facts" in refused(change)

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (b'"type":"reserve.notified"', b'"type":"reserve.withdrawn"', "something else than the leaf"),
            (b"T", b"t", "something else than the leaf"),
            (b"d\xc3\xa9lai", b"d\xc3\xa9lais", "quoted text"),
            (b'"position":1', b'"position":2', "rests on leaf 2"),
        ],
    )
    def test_a_conclusion(self, refused, old, new, why):
        """Reasons that the leaves do not bear, and changed quotations, are named."""

        def change(files):
            data = files["data/conclusions.json"]
            at = data.index(b'"legal_time":"') if old == b"T" else 0
            return {**files, "data/conclusions.json": data[:at] + data[at:].replace(old, new, 1)}

        assert why in refused(change)

    @pytest.mark.parametrize("language", ["fr", "en"])
    def test_a_report(self, refused, language):
        """A report that says of a fact something else than its leaf is named."""
        name = f"data/report/report.{language}.txt"
        found = refused(
            lambda files: changed(
                files, name, b'/data/entries/0/quantity "3600"', b'/data/entries/0/quantity "360"'
            )
        )
        assert f"{name} says something else than the leaves" in found

    def test_an_omission_of_what_is_there(self, refused):
        """What is listed as omitted must be absent."""

        def change(files):
            rows = [*json.loads(files["data/omissions.json"]), {"what": "leaf", "which": "6", "why": "x"}]
            return {**files, "data/omissions.json": verifier.canonical(rows)}

        assert "leaf 6 is listed as omitted, and is there" in refused(change)


class TestBasis:
    """Article texts, rates and clocks that were changed after the record named them."""

    @pytest.mark.parametrize("name", ["terms/2021-06.fr.txt", "terms/rates.toml", "zone/Europe/Paris"])
    def test_what_was_changed_is_named(self, small, judge, monkeypatch, name):
        """A package concluded from another text, table or clock than the record names is refused."""
        changed = {**basis(), name: "0" * 64}
        monkeypatch.setattr("ledger.evidence.gather.basis", lambda: changed)
        (problem,) = judge(small.package())
        assert f"basis: concluded from another {name} than the one on record" in problem

    def test_it_is_the_files_own(self, monkeypatch, tmp_path):
        """One byte of a text, of the parameters or of the rates, and one clock change, give other digests."""
        honest = basis()
        for name in ("2021-06.fr.txt", "2021-06.toml", "rates.toml", "readings.toml"):
            told = [(file, data + b"\n" * (file == name)) for file, data in terms.files()]
            monkeypatch.setattr("ledger.contract.basis.files", lambda told=told: told)
            differing = {key for key, digest in basis().items() if honest[key] != digest}
            assert differing == {f"terms/{name}"}
        monkeypatch.undo()
        monkeypatch.setattr("ledger.instants.PARIS", ZoneInfo("Europe/Moscow"))
        assert {key for key, digest in basis().items() if honest[key] != digest} == {"zone/Europe/Paris"}


class TestOutsider:
    """Alterations by somebody who has the package alone."""

    @pytest.mark.parametrize(
        "name", ["data/leaves/6.json", "data/README.txt", "data/report/report.fr.pdf", "data/verify.py"]
    )
    def test_manifests_made_anew(self, honest, judge, name):
        """Any other byte in the payload, with manifests that fit it, is not what the ledger signed."""
        files = files_of(honest)
        found = judge(rebagged({**files, name: files[name] + b" "}))
        assert any("another package's manifest" in row for row in found)

    def test_an_added_file(self, honest, judge, small):
        """Files that do not belong in a package are named, signed or not."""
        files = {**files_of(honest), "data/extra.txt": b"more"}
        assert any("data/extra.txt does not belong" in row for row in judge(rebagged(files, small.keys)))

    def test_a_missing_file(self, honest, judge):
        """A missing file is named."""
        files = files_of(honest)
        del files["data/keys.txt"]
        assert judge(zipped(files)) == [
            "files: data/keys.txt is missing",
            "files: the package has other files than it must",
        ]

    def test_a_claim_of_a_token(self, honest, judge):
        """Without a token no package says to be ASiC."""
        files = {**files_of(honest), "mimetype": verifier.ASIC}
        assert judge(zipped(files))


class TestZip:
    """The ZIP file itself."""

    def test_bytes_after_the_end(self, honest, judge):
        """Bytes after the directory, or before the first entry, are refused."""
        assert judge(honest + b"\n")
        assert judge(b"\n" + honest)

    def test_duplicate_names(self, honest, judge):
        """The same name twice, or twice but for case, is refused by name."""
        longer = zipped({**files_of(honest), "data/keys.TXT": b"x"})
        for name in ("data/keys.txt", "data/Keys.txt"):
            found = judge(longer.replace(b"data/keys.TXT", name.encode()))
            assert "the ZIP file holds 'data/keys.txt'" in found[0] or "'data/Keys.txt' beside" in found[0]

    @pytest.mark.parametrize(
        "name", ["../evil", "/etc/evil", "data/../../evil", "C:evil", "data\\evil", "data//evil", "./x"]
    )
    def test_path_traversal(self, honest, judge, name):
        """A name that leads outside the package is refused by name."""
        found = judge(zipped({**files_of(honest), name: b"x"}))
        assert "could lead outside" in found[0] or "not the one" in found[0]

    def test_compressed(self, honest, judge):
        """The same files in a compressed ZIP are refused: the writer stores them."""
        with zipfile.ZipFile(target := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files_of(honest).items():
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        assert judge(target.getvalue())

    def test_mimetype_is_first(self, honest):
        """A reader of the first bytes finds the type of the file."""
        (length,) = struct.unpack_from("<H", honest, 26)
        assert honest[30 : 30 + length] == b"mimetype"
        assert honest[30 + length :].startswith(verifier.PLAIN)

    @pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + b"\0" * 18, b"x" * 1000])
    def test_what_is_no_package(self, judge, data):
        """Whatever else the file is, it is refused in a sentence."""
        assert judge(data)


class TestTokens:
    """Timestamp tokens by a local authority."""

    @pytest.fixture
    def authority(self, tmp_path_factory):
        return OpensslAuthority(tmp_path_factory.mktemp("authority"))

    def test_a_package_with_a_token_is_asic(self, small, authority, judge, tmp_path):
        """The package is an ASiC-E with time assertion, and OpenSSL verifies its token over the ASiCManifest."""
        with served(authority.reply) as url:
            package = small.package(authority=Authority.parse(f"{url}|{authority.root_pem}"))
        root = authority.root_pem.read_bytes()
        assert judge(package) == []
        assert judge(package, authorities=root) == []
        files = files_of(package)
        assert files["mimetype"] == verifier.ASIC
        manifest = files[verifier.ASIC_MANIFEST].decode()
        named = dict(
            re.findall(r'<asic:DataObjectReference URI="([^"]+)">.*?<ds:DigestValue>([^<]+)<', manifest)
        )
        outside = {
            name for name in files if not name.startswith("META-INF/") and name != verifier.TAG_MANIFEST
        }
        assert set(named) == outside
        assert all(
            named[name] == verifier.encode_base64(hashlib.sha256(files[name]).digest()) for name in outside
        )
        assert authority.accepts(files[verifier.ASIC_TOKEN], manifest.encode(), "-token_in")
        assert bags(tmp_path / "bag", package).validate()

    def test_another_authority(self, small, authority, judge, tmp_path):
        """A token of an authority that is not the trusted one is refused."""
        with served(authority.reply) as url:
            package = small.package(authority=Authority.parse(f"{url}|{authority.root_pem}"))
        other = OpensslAuthority(tmp_path / "other")
        assert any(
            row.startswith("ASiC: openssl refuses it")
            for row in judge(package, authorities=other.root_pem.read_bytes())
        )

    def test_a_token_taken_away_or_exchanged(self, small, authority, judge):
        """A package that was timestamped does not pass without its token, nor with one over other data."""
        with served(authority.reply) as url:
            package = small.package(authority=Authority.parse(f"{url}|{authority.root_pem}"))
        files = files_of(package)
        without = {name: data for name, data in files.items() if not name.startswith("META-INF")}
        assert judge(rebagged({**without, "mimetype": verifier.PLAIN}))
        der = authority.token_over(b"other")
        (authority.folder / "x.tsr").write_bytes(der)
        subprocess.run(
            ["openssl", "ts", "-reply", "-in", "x.tsr", "-token_out", "-out", "x.tst"], cwd=authority.folder, check=True,
            capture_output=True,
        )  # fmt: skip
        files[verifier.ASIC_TOKEN] = (authority.folder / "x.tst").read_bytes()
        assert any("ASiC: openssl refuses it" in row for row in judge(rebagged(files)))


def _with(content, **changes):
    from dataclasses import replace  # noqa: PLC0415

    return replace(content, **changes)


class TestMany:
    """Packages of very many leaves hold them in bundles, proved by tiles."""

    @pytest.fixture
    def bundled(self, small, monkeypatch):
        monkeypatch.setattr(gathering, "PROVED_ONE_BY_ONE", 0)
        return small.package()

    def test_they_are_accepted(self, bundled, judge):
        """The same checks pass."""
        assert judge(bundled) == []
        assert not any("/leaves/" in name or "/proofs/" in name for name in files_of(bundled))

    @pytest.mark.parametrize("what", ["leaf", "order", "tile", "position", "end"])
    def test_an_alteration_is_named(self, bundled, judge, small, what):
        """A changed leaf, position, order or tile is refused, though the package is signed again."""
        files = files_of(bundled)
        bundle, tile = "data/bundles/000000.txt", "data/tiles/0/0"
        lines = files[bundle].split(b"\n")
        files |= {
            "leaf": {bundle: files[bundle].replace(b'"3600"', b'"3601"', 1)},
            "order": {bundle: b"\n".join([lines[1], lines[0], *lines[2:]])},
            "tile": {tile: files[tile][::-1]},
            "position": {bundle: files[bundle].replace(b"\n5 ", b"\n6 ", 1)},
            "end": {bundle: files[bundle].removesuffix(b"\n")},
        }[what]
        assert any(row.startswith("leaves: ") for row in judge(rebagged(files, small.keys)))

    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 65_536, 65_537, 70_000])
    def test_tiles_of_any_size(self, size):
        """The verifier's own reading of tiles finds each leaf, and no other, in trees at the edges of tiles."""
        log = SmallLog().add(*(b"%d" % at for at in range(size)))
        for position in sorted({0, size // 2, size - 1}):
            wanted = {(level, position >> 8 * (level + 1)) for level in range(8)}
            wanted |= {(level, size >> 8 * (level + 1)) for level in range(8)}
            tiles = {place: log.tile(*place) for place in wanted if width_at(size, *place)}
            head = verifier.Checkpoint(log.origin, size, log.tree.root(size), verifier.Note("", ()), b"")
            read = verifier.Tiles(head, tiles)
            read.check(position, leaf_hash(b"%d" % position))
            with pytest.raises(verifier.RefusedError):
                read.check(position, leaf_hash(b"other"))
            for place, joined in tiles.items():
                altered = {**tiles, place: joined[:-1] + bytes([joined[-1] ^ 1])}
                with pytest.raises(verifier.RefusedError):
                    verifier.Tiles(head, altered)
