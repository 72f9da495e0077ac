"""Run by test_ableton_parts.py with a real Python 3.7: the Remote Script between stubs of Live."""

import os
import socket
import sys
import tempfile
import types


class ControlSurface:
    def __init__(self, c_instance):
        self.c_instance = c_instance

    def update_display(self):
        pass

    def disconnect(self):
        pass

    def log_message(self, text):
        raise SystemExit(text)


class Live:
    """c_instance, song and view in one: no clip is chosen."""

    detail_clip = None
    shown = ()

    def song(self):
        return types.SimpleNamespace(view=self)

    def show_message(self, text):
        self.shown += (text,)

    log_message = show_message


def main(scripts):
    framework = types.ModuleType("_Framework.ControlSurface")
    framework.ControlSurface = ControlSurface
    sys.modules["Live"] = types.ModuleType("Live")
    sys.modules["_Framework"] = types.ModuleType("_Framework")
    sys.modules["_Framework.ControlSurface"] = framework
    sys.path.insert(0, scripts)
    import Retake

    surface = Retake.create_instance(Live())
    from Retake import osc

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(osc.encode("/retake/live/go", "rain"), ("127.0.0.1", surface._bridge.port))
        answer = None
        while answer is None:
            surface.update_display()
            try:
                sock.settimeout(0.1)
                answer = osc.decode(sock.recv(65507))
            except socket.timeout:  # noqa: UP041 (3.7)
                continue
    surface.disconnect()
    assert not os.listdir(os.environ["RETAKE_STATE_DIR"])
    print(answer[0][1][0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RETAKE_STATE_DIR"] = folder
        main(sys.argv[1])
