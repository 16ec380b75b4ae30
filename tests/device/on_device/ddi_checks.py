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


def check_section_ddi():
    for vector in lines_of("ddi"):
        try:
            got = read(vector)
        except UpdateError as e:
            assert e.code == vector.get("error"), (vector["name"], e.code, str(e))
        else:
            assert got == vector.get("gives"), (vector["name"], got)


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


def check_section_ranges():
    from minerva.ranges import plan

    for vector in lines_of("ranges"):
        got = [list(r) for r in plan([tuple(m) for m in vector["missing"]], vector["most"])]
        assert got == vector["ranges"], (vector["name"], got)


def check_section_told():
    for vector in lines_of("told"):
        if vector["kind"] == "config":
            body = ddi.config_data(vector["attributes"])
        else:
            progress = vector["progress"] or (-1, 0)
            args = [vector[name] for name in ("action", "execution", "finished", "details")]
            body = ddi.feedback(args[0], args[1], args[2], args[3], progress[0], progress[1])
        assert json.loads(body) == vector["json"], (vector["name"], body)


def check_config_data_is_text():
    said = json.loads(ddi.config_data({"security_version": 3}))
    assert said == {"mode": "merge", "data": {"security_version": "3"}}, said


def check_section_sleeps():
    for vector in lines_of("sleeps"):
        asked = []
        got = ddi.jittered_ms(
            vector["seconds"], lambda n, v=vector, asked=asked: asked.append(n) or v["drawn"]
        )
        assert (got, asked) == (vector["ms"], [21]), (vector["name"], got, asked)
