// Asks @sigstore/verify what it thinks of our inclusion proofs: one JSON question a line, one answer a line.
const { verifyMerkleInclusion } = require("@sigstore/verify/dist/tlog/merkle.js");
const bytes = (text) => Buffer.from(text, "base64");

for (const line of require("fs").readFileSync(0, "utf-8").trimEnd().split("\n")) {
  const q = JSON.parse(line);
  try {
    verifyMerkleInclusion(
      {
        inclusionProof: { logIndex: String(q.Index), hashes: q.Hashes.map(bytes) },
        canonicalizedBody: bytes(q.Leaf),
      },
      { logSize: BigInt(q.Size), logHash: bytes(q.Root) },
    );
    console.log("ok");
  } catch (error) {
    console.log(error.message);
  }
}
