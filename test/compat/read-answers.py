"""What LAVA's REST API and web addresses answer of a job, as Python's own readers read it; JSON. read-answers.py URL TOKEN JOB"""

import ast
import csv
import io
import json
import sys
import urllib.request
import xml.etree.ElementTree as xml

import yaml

url, token, job = sys.argv[1:]


def text(where):
    headers = {"Authorization": f"Token {token}"}
    with urllib.request.urlopen(urllib.request.Request(url + where, headers=headers)) as answer:
        return answer.read().decode()


api = f"/api/v0.2/jobs/{job}"
log = yaml.safe_load(text(f"/scheduler/job/{job}/log_file/plain"))
cases = yaml.safe_load(text(f"{api}/yaml/"))
test = json.loads(text(f"{api}/tests/?suite__name=lava&limit=1"))["results"][0]
print(
    json.dumps(
        {
            "job": sorted(json.loads(text(f"{api}/"))),
            "test": sorted(test),
            "metadata of a test": yaml.safe_load(test["metadata"]),
            "suite": sorted(json.loads(text(f"{api}/suites/"))["results"][0]),
            "log": sorted(log[0]),
            "sliced": yaml.safe_load(text(f"{api}/logs/?start=1&end=2")) == log[1:2],
            "bit by bit": json.loads(text(f"/scheduler/job/{job}/log_pipeline_incremental?line=1"))[0]
            == log[1],
            "yaml": sorted(cases[0]),
            "are text": all(type(v) is str for k, v in cases[0].items() if k != "metadata"),
            "csv": list(csv.reader(io.StringIO(text(f"{api}/csv/"))))[0],
            "rows": len(list(csv.DictReader(io.StringIO(text(f"/results/{job}/csv"))))) == len(cases),
            "metadata of csv": type(
                ast.literal_eval(next(csv.DictReader(io.StringIO(text(f"{api}/csv/"))))["metadata"])
            ).__name__,
            "junit": xml.fromstring(text(f"{api}/junit/")).tag,
            "devices": sorted(json.loads(text("/api/v0.2/devices/?limit=1"))["results"][0]),
            "device types": sorted(json.loads(text("/api/v0.2/devicetypes/?limit=1"))["results"][0]),
            "definition": sorted(yaml.safe_load(json.loads(text(f"{api}/"))["definition"])),
        },
        indent=1,
        default=str,
    )
)
