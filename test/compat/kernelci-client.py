"""What KernelCI's pipeline does with a LAVA lab, in our own words: kernelci-core itself is not to be had as a package.

kernelci-client.py submit URL TOKEN < JOB.yaml      prints the job's number
kernelci-client.py wait URL TOKEN ID                prints its health
kernelci-client.py queue URL TOKEN DEVICE-TYPE      prints how many jobs wait, and the names of the devices
kernelci-client.py callback < BODY.json             prints what is made of a callback, as JSON
"""

import json
import sys
from urllib.parse import urljoin

import requests
import yaml

RESULTS = {2: "pass", 3: "incomplete", 4: "incomplete", 5: "incomplete"}


def lab(url, token):
    session = requests.Session()
    session.params = {"format": "json", "limit": "256"}
    session.headers = {"authorization": f"Token {token}", "content-type": "application/json"}

    def get(where, params=None):
        answer = session.get(urljoin(f"{url}/api/v0.2/", where), params=params, timeout=30)
        answer.raise_for_status()
        return answer.json()

    return session, get


def submit(url, token):
    session, _ = lab(url, token)
    answer = session.post(
        f"{url}/api/v0.2/jobs/",
        json={"definition": sys.stdin.read()},
        allow_redirects=False,
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()["job_ids"][0]


def wait(url, token, job):
    _, get = lab(url, token)
    while True:
        # No slash at the end: the server is to lead there.
        found = get(f"jobs/{job}")
        if found["state"] == "Finished":
            return found["health"]


def queue(url, token, device_type):
    _, get = lab(url, token)
    waiting = get("jobs/", {"state": "Submitted", "requested_device_type": device_type})["count"]
    page = get("devices/", {"device_type": device_type})
    found = page["results"]
    while page.get("next"):
        page = get(page["next"])
        found += page["results"]
    names = [
        one["hostname"]
        for one in found
        if one["device_type"] == device_type and one["health"] in (None, "Good")
    ]
    return json.dumps([waiting, names])


def callback():
    data = json.load(sys.stdin)
    suites = {name: yaml.safe_load(text) for name, text in data["results"].items()}
    lava = suites.pop("lava")
    job = {case["name"]: case for case in lava}["job"]["metadata"]
    tests = {}
    for name, cases in suites.items():
        found = tests.setdefault(name.partition("_")[2], {})
        for case in reversed(cases):
            group = case["metadata"].get("set")
            (found.setdefault(group, {}) if group else found)[case["name"]] = case["result"]
    log = yaml.safe_load(data["log"])
    console = [line["msg"] for line in log if line["lvl"] == "target" and isinstance(line["msg"], str)]
    logins = [case["result"] for case in lava if case["name"] in ("login-action", "auto-login-action")]
    kernels = [case["result"] for case in lava if case["name"] == "kernel-messages"]
    return json.dumps(
        {
            "node": yaml.safe_load(data["definition"])["metadata"]["node_id"],
            "result": RESULTS.get(data["status"]),
            "device": data.get("actual_device_id"),
            "login": "pass" if "pass" in logins else "fail" if logins else None,
            "kernelmsg": "fail" if "fail" in kernels else "pass" if kernels else None,
            "tests": tests,
            "measurements": {
                case["name"]: case["measurement"] for cases in suites.values() for case in cases
            },
            "error_code": job.get("error_type"),
            "error_msg": job.get("error_msg"),
            "console": "\n".join(text.strip().replace("\x1b", "^[") for text in console if text.strip()),
        }
    )


COMMANDS = {"submit": submit, "wait": wait, "queue": queue, "callback": callback}
print(COMMANDS[sys.argv[1]](*sys.argv[2:]))
