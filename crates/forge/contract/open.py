"""What we seal for GitHub, opened by libsodium. python open.py PROGRAM: the example `sealed` of the crate forge."""
import base64
import json
import subprocess
import sys

from nacl.public import PrivateKey, SealedBox

# Lengths around the blocks of the cipher, letters of several bytes, GitHub's longest.
VALUES = ["", "x", "hunter2", "x" * 31, "x" * 32, "x" * 33, "x" * 63, "x" * 64, "x" * 65]
VALUES += ["a line\nand é more \U0001f40d", "x" * 49152]

wrong = 0
for number in range(20):
    key = PrivateKey.generate()
    public = base64.b64encode(bytes(key.public_key)).decode()
    asked = json.dumps({"key": {"key_id": str(number), "key": public}, "values": VALUES})
    said = subprocess.run([sys.argv[1]], input=asked, capture_output=True, text=True, check=True)
    opened = [SealedBox(key).decrypt(base64.b64decode(it)).decode() for it in json.loads(said.stdout)]
    wrong += sum(ours != theirs for ours, theirs in zip(VALUES, opened, strict=True))
print(f"{20 * len(VALUES)} boxes opened by libsodium, {wrong} with another value")
sys.exit(wrong != 0)
