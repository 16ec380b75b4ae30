"""Run the check_* functions of a module under whatever interpreter runs this: runner.py FOLDER MODULE.

Prints a line for each and ends with status 1 when one failed. check_section_NAME is to replay the whole
section NAME of ota.json. Plain enough for MicroPython.
"""

import sys


def check(module, name):
    """Run one; AssertionError where it is to replay a section and does not come to its end."""
    from ota_lines import whole

    whole.clear()
    getattr(module, name)()
    section = name[len("check_section_") :] if name.startswith("check_section_") else None
    assert section is None or section in whole, "not all of the section %s was replayed" % section


def main(folder, name):
    sys.path.insert(0, folder)
    module = __import__(name)
    failed = 0
    names = sorted(n for n in dir(module) if n.startswith("check_"))
    for n in names:
        try:
            check(module, n)
            print("ok", n)
        except Exception as e:
            failed += 1
            print("FAILED", n)
            if hasattr(sys, "print_exception"):
                sys.print_exception(e)
            else:
                import traceback

                traceback.print_exc(file=sys.stdout)
    print("%d checks, %d failed" % (len(names), failed))
    sys.exit(1 if failed or not names else 0)


main(sys.argv[1], sys.argv[2])
