#!/usr/bin/env python3
"""Each sample against its model without servers: what its generator makes, as tests of `viewfold test`, which folds them in one
batch, in many, with restarts, with every event twice and in other orders. What each view must be is what model.py says."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIEWFOLD = os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold"))
sys.path.insert(0, os.path.join(ROOT, "projections"))
import common  # noqa: E402

# No old days: what a ttl has ended is asked of real servers, whose clock goes on.
MORE = {
    "customer_orders": {"customers": 4, "old": 0},
    "recent_customers": {"customers": 4, "old": 0},
    "orders_per_day": {"customers": 4, "old": 0, "days": 3},
    "customer_bank_view": {"customers": 3},
    "order_saga": {},
}


def as_test(sample, seed):
    """One test: the events as they would come, and the model's whole view. JSON is YAML."""
    generator, model = common.load(sample, "generate"), common.load(sample, "model")
    log = list(generator.records(events=40, seed=seed, **MORE[sample]))
    given = []
    for record in log:
        value = json.loads(record["value"])
        one = {"event": f"{value['kind']}/{value['id']}@{value['version']}", "type": value["type"], "time": value["time"]}
        given.append({**one, **({"data": value["data"]} if "data" in value else {})})
    return {
        "name": f"seed {seed}",
        "given": given,
        "expect": {identity: document["document"] for identity, document in model.fold(log).items()},
    }


def main():
    seed = int(os.environ.get("VIEWFOLD_SEED") or random.randrange(1 << 30))
    print(f"seed: {seed} (VIEWFOLD_SEED={seed} makes the same choices)")
    failed = []
    for sample in common.SAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(os.path.join(ROOT, "projections", sample, f"{sample}.lua"), folder)
            tests = [as_test(sample, seed + number) for number in range(2)]
            with open(os.path.join(folder, f"{sample}.test.yaml"), "w", encoding="utf-8") as file:
                json.dump(tests, file, ensure_ascii=False)
            done = subprocess.run([VIEWFOLD, "test", "--interleavings", "12"], cwd=folder, capture_output=True, text=True)
            print(f"{sample}: {done.stdout}{done.stderr}", flush=True)
            if done.returncode or f"{len(tests)} tests passed, 0 failed" not in done.stdout:
                failed.append(sample)
    sys.exit(f"not as the model says: {', '.join(failed)}" if failed else 0)


main()
