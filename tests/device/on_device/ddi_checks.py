import json

from minerva import ddi
from minerva.errors import UpdateError

from ota_lines import lines_of


def read(vector):
    data = vector["text"].encode()
    kind = vector["kind"]
    if kind == "poll":
        p = ddi.read_poll(data)
        return {
            "sleep_s": p.sleep_s,
            "deployment": p.deployment,
            "cancel": p.cancel,
            "config": p.config,
            "action": p.action,
        }
    if kind == "cancel":
        own, stop = ddi.read_cancel(data, vector["path"])
        return {"id": own, "stop": stop}
    d = ddi.read_deployment(data)
    found = {ddi.MANIFEST: d.manifest, ddi.SIGNATURE: d.signature, ddi.FILES: d.files}
    return {
        "action": d.action,
        "now": d.now,
        "artifacts": {
            n: {"path": found[n].path, "size": found[n].size, "sha256": found[n].sha256} for n in found
        },
    }


def check_vectors():
    count = 0
    for vector in lines_of("ddi"):
        count += 1
        try:
            got = read(vector)
        except UpdateError as e:
            assert e.code == vector.get("error"), (vector["name"], e.code, str(e))
        else:
            assert got == vector.get("gives"), (vector["name"], got)
    assert count > 50, count


def check_truncated_answers_are_refused():
    for vector in lines_of("ddi"):
        if vector["by"] != "hand":
            continue
        text = vector["text"]
        for end in range(0, len(text), 7):
            try:
                read(dict(vector, text=text[:end]))
            except UpdateError as e:
                assert e.code == "bad_answer"
            else:
                raise AssertionError((vector["name"], end))


def check_ranges():
    from minerva.ranges import plan

    count = 0
    for vector in lines_of("ranges"):
        count += 1
        got = [list(r) for r in plan([tuple(m) for m in vector["missing"]], vector["most"])]
        assert got == vector["ranges"], (vector["name"], got)
    assert count > 15, count


def check_feedback_is_what_hawkbit_documents():
    said = json.loads(ddi.feedback(5, "closed", "success", ("Feedback message",)))
    want = {
        "id": "5",
        "status": {
            "execution": "closed",
            "result": {"finished": "success"},
            "details": ["Feedback message"],
        },
    }
    assert said == want, said
    said = json.loads(ddi.feedback((1 << 63) - 1, "proceeding", cnt=2, of=5))
    assert said["id"] == "9223372036854775807"
    assert said["status"]["result"] == {"finished": "none", "progress": {"cnt": 2, "of": 5}}
    long = json.loads(ddi.feedback(5, "closed", "failure", ("x" * 600,)))
    assert len(long["status"]["details"][0]) == 512


def check_config_data_is_what_hawkbit_documents():
    said = json.loads(ddi.config_data({"hwRevision": "2", "security_version": 3}))
    assert said == {"mode": "merge", "data": {"hwRevision": "2", "security_version": "3"}}, said


def check_sleep_is_jittered_and_never_below_thirty_seconds():
    assert ddi.jittered_ms(300, lambda n: 0) == 270000
    assert ddi.jittered_ms(300, lambda n: n - 1) == 330000
    assert ddi.jittered_ms(30, lambda n: 0) == 30000
    assert ddi.jittered_ms(86400, lambda n: n - 1) == 95040000
