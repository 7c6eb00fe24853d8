"""Plays scenarios.json on an ECS through botocore, AWS's own client.

    check.py SERVE          SERVE is the program of examples/serve.rs; each scenario gets a new one

botocore's models judge: every request is validated by the client, every answer against the shape of
its operation (members that are not in it, types, words that are not in an enum). The official
waiters run on it, in the cloud's time. Exit 1 where anything differs.
"""

import datetime
import json
import pathlib
import subprocess
import sys
import types
import urllib.request
import xml.etree.ElementTree

import botocore.config
import botocore.model
import botocore.exceptions
import botocore.session
import botocore.waiter

HERE = pathlib.Path(__file__).parent
# CloudWatch speaks several protocols; ours is the one with the longest life.
botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = ("query", "json", "rest-json", "rest-xml", "ec2")
ACCOUNT, REGION = "111122223333", "eu-central-1"


class Cloud:
    """One model cloud, and the clients that talk to it."""

    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.child.stdout.readline().strip()
        self.wrong, self.validated = [], 0
        session = botocore.session.Session()
        session.set_credentials("AKIA" + ACCOUNT, "secret")
        config = botocore.config.Config(retries={"total_max_attempts": 1})

        def client(service):
            made = session.create_client(service, region_name=REGION, endpoint_url=self.url, config=config)
            made.meta.events.register(f"before-parse.{service}", self.judge)
            return made

        services = ["ecr", "ecs", "sts", "secretsmanager", "ssm", "rds", "iam", "ec2", "elbv2", "logs", "application-autoscaling", "cloudwatch"]
        self.clients = {service: client(service) for service in services}
        # The waiter sleeps in the cloud's time.
        botocore.waiter.time = types.SimpleNamespace(
            sleep=lambda seconds: self.control("advance", {"ms": int(seconds * 1000)})
        )

    def control(self, what, body):
        request = urllib.request.Request(f"{self.url}/_model/{what}", json.dumps(body).encode(), method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)

    def judge(self, operation_model, response_dict, **_):
        protocol = operation_model.service_model.resolved_protocol
        if protocol not in ("json", "query") or response_dict["status_code"] != 200:
            return
        self.validated += 1
        if protocol == "query":
            self.wrong += list(xml_misfits(operation_model, response_dict["body"]))
            return
        answer = json.loads(response_dict["body"])
        self.wrong += list(misfits(operation_model.output_shape, answer, operation_model.name))

    def end(self):
        self.child.stdin.close()
        self.child.wait(10)


def xml_misfits(operation_model, body):
    """What of an answer in XML is not as its shape says."""
    root = xml.etree.ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    shape = operation_model.output_shape
    if shape is None:
        return
    wrapper = shape.serialization.get("resultWrapper")
    inner = root.find(wrapper) if wrapper else root
    if inner is None:
        yield f"{operation_model.name}: {wrapper} is missing"
    else:
        yield from element_misfits(shape, inner, operation_model.name)


def element_misfits(shape, element, path):
    if shape.type_name == "structure":
        named = {it.serialization.get("name", key): it for key, it in shape.members.items()}
        flat = {
            it.member.serialization.get("name", name): it
            for name, it in named.items() if it.type_name == "list" and it.serialization.get("flattened")
        }
        for child in element:
            if child.tag in flat:
                yield from element_misfits(flat[child.tag].member, child, f"{path}.{child.tag}")
            elif child.tag not in named:
                yield f"{path}.{child.tag} is not in the model"
            else:
                yield from element_misfits(named[child.tag], child, f"{path}.{child.tag}")
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for child in element:
            if child.tag != name:
                yield f"{path}.{child.tag} should be {name}"
            else:
                yield from element_misfits(shape.member, child, f"{path}.{name}")
    elif shape.type_name in ("integer", "long") and not (element.text or "").lstrip("-").isdigit():
        yield f"{path} is {element.text!r}, and should be a number"
    elif shape.type_name == "boolean" and element.text not in ("true", "false"):
        yield f"{path} is {element.text!r}, and should be true or false"
    elif getattr(shape, "enum", None) and element.text not in shape.enum:
        yield f"{path} is {element.text!r}, which is none of {shape.enum}"


def misfits(shape, value, path):
    """What of a value is not as its shape says."""
    kinds = {
        "string": str, "integer": int, "long": int, "boolean": bool, "list": list, "map": dict,
        "structure": dict, "double": (int, float), "float": (int, float), "timestamp": (int, float),
    }
    kind = kinds[shape.type_name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        yield f"{path} is {value!r}, and should be a {shape.type_name}"
    elif shape.type_name == "structure":
        for key in value:
            if key not in shape.members:
                yield f"{path}.{key} is not in the model"
            else:
                yield from misfits(shape.members[key], value[key], f"{path}.{key}")
        for key in getattr(shape, "required_members", []):
            if key not in value:
                yield f"{path}.{key} is missing"
    elif shape.type_name == "list":
        for at, item in enumerate(value):
            yield from misfits(shape.member, item, f"{path}[{at}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from misfits(shape.value, item, f"{path}[{key}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path} is {value!r}, which is none of {shape.enum}"


def at(value, path):
    for part in path.split("."):
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if value is not None else None
    return value.timestamp() if isinstance(value, datetime.datetime) else value


def filled(value, saved):
    if isinstance(value, str):
        for name, it in saved.items():
            value = value.replace("{" + name + "}", str(it))
        return value
    if isinstance(value, list):
        return [filled(it, saved) for it in value]
    if isinstance(value, dict):
        return {key: filled(it, saved) for key, it in value.items()}
    return value


def call(cloud, step, saved):
    service, _, operation = step["call"].rpartition(":")
    client = cloud.clients[service or "ecs"]
    methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    expected = step.get("error")
    try:
        answer = getattr(client, methods[operation])(**filled(step["with"], saved))
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code != expected:
            yield f"{step['call']} was refused: {error}"
        elif not error.response["ResponseMetadata"].get("RequestId"):
            yield f"{step['call']} was refused without a request id"
        return
    if expected:
        yield f"{step['call']} went well, and should be refused with {expected}"
    for name, path in step.get("save", {}).items():
        saved[name] = at(answer, path)
    for path, value in filled(step.get("expect", {}), saved).items():
        if at(answer, path) != value:
            yield f"{step['call']}: {path} is {at(answer, path)!r}, and should be {value!r}"
    for path, value in step.get("ends", {}).items():
        if not str(at(answer, path)).endswith(value):
            yield f"{step['call']}: {path} is {at(answer, path)!r}, and should end with {value!r}"
    for path, value in step.get("length", {}).items():
        if len(at(answer, path)) != value:
            yield f"{step['call']}: {path} has {len(at(answer, path))} items, and should have {value}"


def wait(cloud, step, saved):
    waiter = cloud.clients["ecs"].get_waiter(step["wait"])
    what = {"cluster": "c"}
    if step["wait"] == "services_stable":
        what["services"] = [step.get("service", "api")]
    else:
        what["tasks"] = filled(step["tasks"], saved)
    try:
        waiter.wait(**what)
        said = "reached"
    except botocore.exceptions.WaiterError as error:
        said = str(error)
    if step["verdict"] not in said:
        yield f"{step['wait']}: {said}, and should be: {step['verdict']}"


def wait_rds(cloud, step):
    waiter = cloud.clients["rds"].get_waiter(step["waits"])
    try:
        waiter.wait(**step["with"])
        said = "reached"
    except botocore.exceptions.WaiterError as error:
        said = str(error)
    if step["verdict"] not in said:
        yield f"{step['waits']}: {said}, and should be: {step['verdict']}"


def set_up(cloud, service):
    ecs = cloud.clients["ecs"]
    ecs.create_cluster(clusterName="c")
    container = {"name": "app", "image": "repo@sha256:good", "memory": 64}
    ecs.register_task_definition(family="api", containerDefinitions=[container])
    asked = {"cluster": "c", "serviceName": "api", "taskDefinition": "api", "desiredCount": 2, **service}
    ecs.create_service(**asked)
    cloud.control("advance", {"ms": 60000})


def play(program, scenario):
    cloud, saved = Cloud(program), {}
    try:
        if "service" in scenario:
            set_up(cloud, scenario["service"])
        for step in scenario["steps"]:
            if "call" in step:
                cloud.wrong += list(call(cloud, step, saved))
            elif "wait" in step:
                cloud.wrong += list(wait(cloud, step, saved))
            elif "waits" in step:
                cloud.wrong += list(wait_rds(cloud, step))
            else:
                (what, body), = step.items()
                cloud.control(what, body)
    finally:
        cloud.end()
    return cloud.wrong, cloud.validated


def main():
    program = sys.argv[1]
    failed, validated = 0, 0
    for scenario in json.loads((HERE / "scenarios.json").read_text()):
        wrong, answers = play(program, scenario)
        validated += answers
        failed += bool(wrong)
        print("differs" if wrong else "agrees ", scenario["name"])
        for line in sorted(set(wrong)):
            print("   ", line)
    print(f"botocore {botocore.__version__}: {validated} answers validated, {failed} scenarios differ")
    return 1 if failed or not validated else 0


if __name__ == "__main__":
    sys.exit(main())
