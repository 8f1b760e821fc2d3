#!/usr/bin/env python3
"""Runs a job by LAVA's REST API, at Pumice as at LAVA: lava-rest.py URL TOKEN JOB.yaml

Prints what the job found, one test case a line, and exits with 1 unless it is Complete and nothing failed.
"""

import json
import sys
import time
import urllib.parse
import urllib.request


def main(url, token, file):
    api = f"{url}/api/v0.2"

    def ask(where, form=None):
        data = None if form is None else urllib.parse.urlencode(form).encode()
        headers = {"Authorization": f"Token {token}"}
        request = urllib.request.Request(where, data=data, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    with open(file, encoding="utf-8") as text:
        (job, *_) = ask(f"{api}/jobs/", {"definition": text.read()})["job_ids"]
    print(f"job {job}: {url}/scheduler/job/{job}", flush=True)
    while (found := ask(f"{api}/jobs/{job}/"))["state"] != "Finished":
        time.sleep(1)

    failed = 0
    page = f"{api}/jobs/{job}/tests/?limit=2"
    while page:
        tests = ask(page)
        for test in tests["results"]:
            failed += test["result"] == "fail"
            print(test["result"], test["name"], test["measurement"] or "", test["unit"])
        page = tests["next"]
    print(found["health"])
    return 0 if found["health"] == "Complete" and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
