"""Verifies the envelope of a bundle with PyPI's securesystemslib, and its statement with in-toto-attestation:
BUNDLE PUBLIC_KEY DIGEST."""

import base64
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

bundle, key, digest = sys.argv[1:]
with open(key, "rb") as file:
    key = SSlibKey.from_crypto(load_pem_public_key(file.read()))
with open(bundle) as file:
    document = json.load(file)["dsseEnvelope"]
# Envelopes of securesystemslib name the key of each signature.
for signature in document["signatures"]:
    signature["keyid"] = key.keyid
envelope = Envelope.from_dict(document)
envelope.verify([key], 1)

payload = json.loads(base64.b64decode(document["payload"]))
if payload["subject"][0]["digest"]["sha256"] != digest:
    sys.exit("it is about another image")
if payload["predicateType"] == "https://slsa.dev/provenance/v1":
    # In protobuf, `_type` is called `type`.
    fields = {("type" if name == "_type" else name): value for name, value in payload.items()}
    statement = Statement.copy_from_pb(json_format.ParseDict(fields, statement_pb2.Statement()))
    statement.validate()
    provenance = json_format.ParseDict(payload["predicate"], provenance_pb2.Provenance())
    for dependency in provenance.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(dependency).validate()
    if not (provenance.build_definition.build_type and provenance.run_details.builder.id):
        sys.exit("the provenance has no build type or no builder")
print(payload["predicateType"])
