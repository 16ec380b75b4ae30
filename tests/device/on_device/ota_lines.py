import json
import sys

whole = set()  # the sections that were read to their ends


def lines_of(section):
    """The vectors of one section of ota.json, one by one: a line is a vector."""
    inside = False
    with open(sys.argv[1] + "/../../vectors/ota.json") as lines:
        for line in lines:
            if inside:
                if line.startswith("]"):
                    whole.add(section)
                    return
                line = line.strip()
                yield json.loads(line[:-1] if line.endswith(",") else line)
            elif line.startswith('"%s": [' % section):
                inside = True
    raise ValueError("ota.json has no section %s, or not its end" % section)
