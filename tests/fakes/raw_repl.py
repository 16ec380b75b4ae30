"""raw_repl.py hard|soft: a board's prompt on standard input and output, for a MicroPython without one.

Runs under the unix MicroPython in the folder that plays the flash. Like a board, `hard` runs boot.py and
main.py and comes to the friendly prompt; `soft` is what follows Ctrl-D at the raw prompt: boot.py, then the
raw prompt. Ends with status 43 at a soft reset, 42 at a hard one; whoever started it starts it again.
Ctrl-C comes as SIGINT.

MINERVA_FLASH_FAULT: PATH:wrong turns a byte of what is written there, PATH:full finds no space for it.
"""

import io
import os
import sys

HARD, SOFT = 42, 43
WINDOW = 256

sys.path[0] = ""
_in, _out = sys.stdin.buffer, sys.stdout.buffer
_fault, _, _how = (os.getenv("MINERVA_FLASH_FAULT") or "").rpartition(":")


class FaultyFile:
    """A file that takes bytes wrongly, or none."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        if _how == "full":
            raise OSError(28)
        return self._file.write(bytes([data[0] ^ 1]) + data[1:])

    def close(self):
        self._file.close()


def faulty_open(path, mode="r"):
    """`open` on a flash with a fault."""
    file = open(path, mode)
    return FaultyFile(file) if path == _fault + ".part" and "w" in mode else file


class Machine:
    """What the prompt needs of `machine`; the application has the virtual board's."""

    @staticmethod
    def reset():
        """End as a reset does."""
        sys.exit(HARD)

    @staticmethod
    def unique_id():
        """An address that Espressif never gave away."""
        return b"\x02\x00\x00\x00\x00\x01"

    class WDT:
        """A watchdog that never bites: nothing here takes that long."""

        def __init__(self, timeout=5000):
            pass


def say(data):
    """Bytes to the host."""
    _out.write(data)


def fresh():
    """The names at a prompt."""
    names = {"__name__": "__main__"}
    if _fault:
        names["open"] = faulty_open
    return names


def traceback(problem):
    """An exception as a board prints it."""
    text = io.StringIO()
    sys.print_exception(problem, text)
    return text.getvalue().replace("\n", "\r\n").encode()


def run_file(path, names):
    """Run a file as a board does at its start; True when it ended well, or there is none."""
    try:
        with open(path) as file:
            code = file.read()
    except OSError:
        return True
    try:
        exec(code, names)
    except SystemExit:
        raise
    except BaseException as problem:
        say(traceback(problem))
        return False
    return True


def execute(code, names):
    """Run what was sent; the end of its output and of its error are marked."""
    failed = b""
    try:
        exec(code, names)
    except SystemExit:
        raise
    except BaseException as problem:
        failed = traceback(problem)
    say(b"\x04" + failed + b"\x04>")


def paste():
    """Take code in windows of WINDOW bytes; None when it was given up."""
    say(b"R\x01" + WINDOW.to_bytes(2, "little"))
    code = bytearray()
    while True:
        byte = take()
        if byte == b"\x03":
            return None
        if byte == b"\x04":
            say(b"\x04")
            return code
        code += byte
        if len(code) % WINDOW == 0:
            say(b"\x01")


def take():
    """The next byte; the end of the input ends the board."""
    byte = _in.read(1)
    if byte == b"":
        sys.exit(0)
    return byte


def raw(names):
    """The raw prompt, until Ctrl-B."""
    say(b"raw REPL; CTRL-B to exit\r\n>")
    code = bytearray()
    while True:
        byte = take()
        if byte == b"\x02":
            return
        if byte == b"\x01":
            code = bytearray()
            say(b"raw REPL; CTRL-B to exit\r\n>")
        elif byte == b"\x03":
            code = bytearray()
        elif byte == b"\x05" and not code:
            take()
            take()
            code = paste()
            if code is not None:
                execute(bytes(code), names)
            code = bytearray()
        elif byte != b"\x04":
            code += byte
        elif code:
            say(b"OK")
            execute(bytes(code), names)
            code = bytearray()
        else:
            say(b"OK\r\n")
            sys.exit(SOFT)


def friendly():
    """The prompt for people, as far as a program needs it, until Ctrl-A."""
    say(b"MicroPython on a computer\r\n>>> ")
    while True:
        byte = take()
        if byte == b"\x01":
            return
        if byte in (b"\r", b"\x03"):
            say(b"\r\n>>> ")


def start(soft):
    """What runs before there is a prompt."""
    say(b"MPY: soft reboot\r\n" if soft else b"rst:0x1 (POWERON)\r\n")
    names = fresh()
    if run_file("boot.py", names) and not soft:
        run_file("main.py", names)


def main():
    """The board, from the kind of start that is its argument on."""
    in_raw = sys.argv[1] == "soft"
    if in_raw:
        sys.modules["machine"] = Machine
    try:
        start(in_raw)
    except KeyboardInterrupt:
        pass  # between two of its files
    names = fresh()
    while True:
        try:
            if in_raw:
                raw(names)
            else:
                friendly()
            in_raw = not in_raw
        except KeyboardInterrupt:
            pass  # it came when a command had just ended: the prompt appears anew


main()
