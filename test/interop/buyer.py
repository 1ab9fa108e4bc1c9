#!/usr/bin/python3
"""A Chrove buyer without a line of Chrove: Python's standard library and python3-jwcrypto (RFC 7515-7518, 7638).

Reads a vendor's price document over plain HTTP, checks it against the key thumbprints that the registry names, asks
for the credentials of an order that was paid for, checks the answer, and prints it as one JSON object.

    buyer.py URL --vendor URI --signing-key THUMBPRINT --encryption-key THUMBPRINT --key PRIVATE_JWK_FILE [--plan ID]

Exit status: 0 with the credentials on standard output, 1 with the reason on standard error.

canonical() below is RFC 8785 only for what these messages hold: names in ASCII and no fractions.
"""

import argparse
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from jwcrypto import jwe, jwk, jws
from jwcrypto.common import JWException, base64url_encode

BODY_BYTES_MAX = 256 * 1024
TIMEOUT_SECONDS = 10
SIGNED_TIME_WINDOW_SECONDS = 300


class Refused(Exception):
    """What the vendor sent must not be believed, or the vendor said no."""


def hold(condition, otherwise):
    if not condition:
        raise Refused(otherwise)


def no_fractions(text):
    raise Refused(f"a fraction needs the number format of RFC 8785: {text[:40]}")


def parse(text):
    return json.loads(text, parse_float=no_fractions, parse_constant=no_fractions)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def get(url):
    # No proxy of the environment: the vendor is asked directly.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            body = response.read(BODY_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        raise Refused(f"HTTP {error.code}: {error.read(BODY_BYTES_MAX).decode(errors='replace')}") from error
    hold(len(body) <= BODY_BYTES_MAX, "the body is too long")
    return body.decode()


def verify(signature, key):
    """The payload of a flattened JWS, once RS256 by this key holds."""
    token = jws.JWS()
    token.allowed_algs = ["RS256"]
    token.deserialize(json.dumps(signature), key)
    return token.payload


def sign(payload, key):
    token = jws.JWS(payload)
    token.add_signature(key, None, json.dumps({"alg": "RS256"}), None)
    return json.loads(token.serialize())


def check_fresh(ts):
    hold(abs(time.time() - ts) <= SIGNED_TIME_WINDOW_SECONDS, "the signed time is not near now")


def check_price(document, signing_thumbprint, encryption_thumbprint):
    """The vendor's two keys, once the document is as the registry says and signed."""
    content = document["content"]
    signing = jwk.JWK(**content["PublicKey"])
    encryption = jwk.JWK(**content["PublicKeyEnc"])
    hold(signing.thumbprint() == signing_thumbprint, "the signing key is not the registered one")
    hold(encryption.thumbprint() == encryption_thumbprint, "the encryption key is not the registered one")
    hold(verify(document["ts_signature"], signing) == str(content["ts"]).encode(), "ts is not signed")
    hold(verify(document["content_signature"], signing) == canonical(content), "the content is not signed")
    check_fresh(content["ts"])
    return signing, encryption


def seal_code(vendor, nonce, plan, key, encryption):
    claims = {"ts": int(time.time()), "aud": vendor, "nonce": nonce}
    if plan is not None:
        claims["plan"] = plan
    envelope = {
        "key": key.export_public(as_dict=True),
        "signature": sign(canonical(claims), key),
        "request": "my_subscribe",
    }
    header = json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM"})
    return jwe.JWE(canonical(envelope), protected=header, recipient=encryption).serialize(compact=True)


def open_answer(text, vendor, nonce, plan, key, signing):
    token = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
    token.deserialize(text, key)
    answer = parse(token.payload)
    content = {name: value for name, value in answer.items() if name not in ("content_signature", "signature_str_ts")}
    hold(verify(answer["content_signature"], signing) == canonical(content), "the answer is not signed")
    hold(verify(answer["signature_str_ts"], signing) == str(answer["ts"]).encode(), "ts of the answer is not signed")
    hold(answer["nonce"] == nonce, "the answer is to another question")
    hold(answer["order"]["vendor"] == vendor, "the answer is for another vendor's order")
    hold(plan is None or answer["order"]["plan"] == plan, "the answer is for another plan")
    check_fresh(answer["ts"])
    return {
        "order": answer["order"],
        "expires": answer["expires"],
        "servers": answer["service_content"]["server_list"],
    }


def collect(args):
    with open(args.key, encoding="utf-8") as file:
        key = jwk.JWK.from_json(file.read())
    base = args.url.rstrip("/")
    document = parse(get(f"{base}/price.json"))
    signing, encryption = check_price(document, args.signing_key, args.encryption_key)
    nonce = base64url_encode(secrets.token_bytes(16))
    code = seal_code(args.vendor, nonce, args.plan, key, encryption)
    answer = get(f"{base}/cert.info?{urllib.parse.urlencode({'code': code})}")
    return open_answer(answer.strip(), args.vendor, nonce, args.plan, key, signing)


def main():
    parser = argparse.ArgumentParser(description="Collects what was paid for from a Chrove vendor.")
    parser.add_argument("url", help="where the vendor is, http://host:port")
    parser.add_argument("--vendor", required=True, help="chrove:eip155:<chainId>:<registry>/<vendorId>")
    parser.add_argument("--signing-key", required=True, help="RFC 7638 thumbprint, base64url")
    parser.add_argument("--encryption-key", required=True, help="RFC 7638 thumbprint, base64url")
    parser.add_argument("--key", required=True, help="file with the buyer's private JWK")
    parser.add_argument("--plan", type=int, help="which order, when the key has several")
    try:
        print(json.dumps(collect(parser.parse_args())))
    except (Refused, JWException, KeyError, TypeError, ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


main()
