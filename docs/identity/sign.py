"""Signs who a customer is, as docs/WEB.md has it: python3 sign.py KEYFILE USER"""

import base64
import hashlib
import hmac
import json
import sys
import time


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(key: str, user: str, attributes: dict) -> str:
    said = {"user": user, "expires": int(time.time()) + 3600, "attributes": attributes}
    text = base64url(json.dumps(said).encode())
    return text + "." + base64url(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest())


with open(sys.argv[1]) as file:
    print(sign(file.read().strip(), sys.argv[2], {"plan": "gold"}))
