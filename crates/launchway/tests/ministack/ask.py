"""Calls by botocore, AWS's own client: what a person does beside Launchway, and what is counted there.

    ask.py URL      a line of JSON in, {"service", "operation", "with", "key"?}; one out: the answer, or
                    {"error": code, "message"}. Without a key, as the account's root.
"""

import base64
import datetime
import json
import sys

import botocore.config
import botocore.exceptions
import botocore.session

REGION = "eu-central-1"
ROOT = ("111122223333", "test")


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def clients(url):
    made = {}
    config = botocore.config.Config(retries={"total_max_attempts": 1})

    def client(service, key):
        if (service, key) not in made:
            session = botocore.session.Session()
            session.set_credentials(*key)
            made[service, key] = session.create_client(
                service, region_name=REGION, endpoint_url=url, config=config)
        return made[service, key]

    return client


def main():
    client = clients(sys.argv[1])
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            of = client(ask["service"], tuple(ask.get("key") or ROOT))
            answer = getattr(of, ask["operation"])(**ask["with"])
            answer.pop("ResponseMetadata", None)
        except botocore.exceptions.ClientError as error:
            answer = {"error": error.response["Error"]["Code"], "message": str(error)}
        print(json.dumps(answer, default=plain), flush=True)


main()
