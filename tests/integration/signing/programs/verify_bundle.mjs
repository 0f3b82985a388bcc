// Verifies a Sigstore bundle with npm's @sigstore/bundle and @sigstore/verify: BUNDLE PUBLIC_KEY DIGEST.
// The packages are resolved from the working directory.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

const [path, keyPath, digest] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(readFileSync(path, "utf8")));
const publicKey = createPublicKey(readFileSync(keyPath));
const noRoot = { tlogs: [], ctlogs: [], timestampAuthorities: [], certificateAuthorities: [] };
const findKey = () => ({ publicKey, validFor: () => true });
const thresholds = { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 };
const verifier = new Verifier(toTrustMaterial(noRoot, findKey), thresholds);
verifier.verify(toSignedEntity(bundle));
const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString());
if (statement.subject[0].digest.sha256 !== digest) throw new Error("it is about another image");
console.log(statement.predicateType);
