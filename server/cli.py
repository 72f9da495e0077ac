"""`retake`: the command line. Torch, scipy and matplotlib are imported only by what needs them."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.edits import EDITS
from engine.errors import REQUEST_CODES, Cancelled, CheckpointError, RetakeError
from server import bench
from server.executor_options import add_executor, executor_settings
from server.messages import LISTS
from server.options import Parser, add_debug, add_edit_options, add_state_dir
from server.preset_cli import add_folder_watch, add_preset_commands

if TYPE_CHECKING:
    from server.serve import Settings

#: Limits of `retake serve`: option, default, what it is counted in, what it does.
LIMITS: tuple[tuple[str, float | None, str, str], ...] = (
    ("--keep-days", 30, "DAYS", "takes and uploads go so long after their job ended"),
    ("--keep-gib", 20, "GIB", "what takes and uploads may fill together; the oldest go first"),
    ("--stall-timeout", 600, "SECONDS", "a job without progress for so long is begun anew"),
    ("--memory-limit", None, "GIB", "memory at which the running job fails"),
    ("--spare-disk", 0.25, "GIB", "disk space that stays free; jobs are refused below it"),
)

OK, OUR_FAULT, CALLERS_MISTAKE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0, 2 for the caller's mistakes, 1 for ours."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:
        return _train(arguments[1:])  # its options are the trainer's own
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("cancelled", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if options.debug:
            raise
        return _complain(_sentence(error), _status(error))
    return OK


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="retake",
        description="Select a clip, say what it should be, get a new take.",
        epilog="retake COMMAND --help says more. Exit status: 0 done, 2 asked wrongly, 1 failed.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, edit in EDITS.items():
        command = commands.add_parser(name, help=edit.summary, description=edit.summary)
        add_edit_options(command, edit)
        command.set_defaults(run=_edit)
    add_preset_commands(commands)
    _add_serve(commands)
    _add_jobs(commands)
    _add_list(commands)
    _add_doctor(commands)
    _add_install(commands)
    _add_projects(commands)
    _add_live(commands)
    bench.add(commands)
    commands.add_parser("train", help="make a checkpoint: retake train --help")
    return parser


def _add_serve(commands: Any) -> None:
    command = commands.add_parser("serve", help="run the server bridges talk to")
    command.add_argument("--model", default="pocket", metavar="NAME", help="checkpoint (pocket)")
    command.add_argument("--device", default="auto", metavar="NAME", help="where it runs (auto)")
    command.add_argument(
        "--ranker", metavar="FILE.pt", help="a LAION CLAP that judges takes (the model's own)"
    )
    command.add_argument(
        "--threads", type=_at_least_1, metavar="N", help="CPU threads of the model (every core)"
    )
    command.add_argument(
        "--compile", action="store_true", help="make the UNet's kernels for this card (CUDA)"
    )
    command.add_argument("--udp-port", type=int, default=9140, metavar="N", help="9140; 0: any")
    command.add_argument("--tcp-port", type=int, default=9141, metavar="N", help="9141; 0: any")
    command.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    add_executor(command)
    _add_limits(command)
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=_serve)


def _add_limits(command: Any) -> None:
    group = command.add_argument_group("limits (0: none)")
    for name, default, metavar, doc in LIMITS:
        shown = "four fifths of the machine's" if default is None else f"{default:g}"
        group.add_argument(
            name, type=_at_least_0, default=default, metavar=metavar, help=f"{doc} ({shown})"
        )


def _at_least_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 0 up")
    return value


def _at_least_1(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 up")
    return int(text)


def _add_jobs(commands: Any) -> None:
    command = commands.add_parser("jobs", help="the running server's latest jobs")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_jobs)
    cancel = commands.add_parser("cancel", help="stop a job of the running server")
    cancel.add_argument("job", metavar="JOB", help="its name, as retake jobs shows it")
    cancel.set_defaults(run=_cancel)
    watch = commands.add_parser(
        "watch", help="see a job of the running server till it ends, or edit what a folder gets"
    )
    watch.add_argument(
        "job", nargs="?", metavar="JOB|FOLDER", help="a job's name (every job), or a folder"
    )
    watch.add_argument("--json", action="store_true", help="one JSON object a line")
    add_folder_watch(watch)
    watch.set_defaults(run=_watch)
    for one in (command, cancel, watch):
        add_state_dir(one)
        add_debug(one)


def _add_list(commands: Any) -> None:
    command = commands.add_parser("list", help="what there is: edits, presets, models, jobs")
    command.add_argument("kind", nargs="?", choices=LISTS, default="edits")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.add_argument("--protocol-doc", action="store_true", help="print docs/protocol.md")
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=_list)


def _add_doctor(commands: Any) -> None:
    command = commands.add_parser("doctor", help="check everything a bug report needs")
    command.add_argument("--json", action="store_true", help="as JSON")
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=_doctor)


def _add_install(commands: Any) -> None:
    command = commands.add_parser(
        "install", help="put Retake into REAPER, Live, Audacity or Ardour"
    )
    command.add_argument("host", nargs="?", metavar="HOST", help="which; not given: how all stand")
    command.add_argument("--to", metavar="DIR", help="the folder, if not the host's own")
    command.add_argument("--uninstall", action="store_true", help="take it out again")
    command.add_argument("--json", action="store_true", help="as JSON")
    add_state_dir(command)
    add_debug(command)
    command.set_defaults(run=_install)


def _add_projects(commands: Any) -> None:
    from server import project_options

    project_options.add(commands)


def _add_live(commands: Any) -> None:
    from server import live_panel

    live_panel.add(commands)


def _edit(options: argparse.Namespace) -> None:
    from server import editing

    editing.run(options)


def _serve(options: argparse.Namespace) -> None:
    from server.serve import serve

    serve(serve_settings(options))


def serve_settings(options: argparse.Namespace) -> Settings:
    """What `retake serve` was told, in the server's own units."""
    from server.config import state_folder
    from server.retention import Keep
    from server.serve import Settings
    from server.watchdog import GIB, Limits, machine_memory_bytes

    runs_on = executor_settings(options)
    memory_gib = options.memory_limit
    if memory_gib is None and runs_on:
        memory_gib = 0.0  # this machine's memory says nothing of the nodes'; Ray watches theirs
    memory = machine_memory_bytes() * 4 // 5 if memory_gib is None else int(memory_gib * GIB)
    limits = Limits(
        stall_s=options.stall_timeout,
        silent_s=min(options.stall_timeout, Limits.silent_s),
        memory_bytes=memory,
        spare_bytes=int(options.spare_disk * GIB),
    )
    return Settings(
        state_folder(options.state_dir),
        options.udp_port,
        options.tcp_port,
        options.model,
        options.device,
        ranker=os.path.abspath(options.ranker) if options.ranker else "",
        threads=options.threads or 0,
        is_compiled=options.compile,
        limits=limits,
        keep=Keep(options.keep_days, int(options.keep_gib * GIB)),
        is_json_log=options.log_json,
        **runs_on,
    )


def _jobs(options: argparse.Namespace) -> None:
    from server import following

    following.jobs(options)


def _cancel(options: argparse.Namespace) -> None:
    from server import following

    following.cancel(options)


def _watch(options: argparse.Namespace) -> None:
    if options.preset or options.output or (options.job and _is_folder(options.job)):
        from server import preset_watch

        preset_watch.run(options)
        return
    from server import following

    following.watch(options)


def _is_folder(name: str) -> bool:
    """Whether a folder is meant: no job's name holds a separator, and a folder is there."""
    return "/" in name or os.sep in name or os.path.isdir(name)


def _list(options: argparse.Namespace) -> None:
    from server import listing

    listing.run(options)


def _doctor(options: argparse.Namespace) -> None:
    from server import doctor

    doctor.run(options)


def _install(options: argparse.Namespace) -> None:
    from server import hosts

    hosts.run(options)


def _train(arguments: list[str]) -> int:
    from engine.training.cli import main as train

    try:
        return int(train(arguments) or OK)
    except KeyboardInterrupt:
        return _complain("cancelled", INTERRUPTED)
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _complain(_sentence(error), _status(error))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"retake {version('retake')}"
    except PackageNotFoundError:
        return "retake dev"


def _sentence(error: Exception) -> str:
    if isinstance(error, RetakeError):
        return error.message
    if isinstance(error, ConnectionError) or hasattr(error, "code"):
        return str(error)
    if isinstance(error, Cancelled):
        return "cancelled"
    kind = type(error).__name__
    return f"{kind}: {error} (our fault; --debug shows where)"


def _status(error: Exception) -> int:
    """2 where asking differently helps, 1 where it doesn't."""
    if isinstance(error, CheckpointError):
        return CALLERS_MISTAKE if error.code == "unknown-model" else OUR_FAULT
    if getattr(error, "code", None) in REQUEST_CODES:  # ours, or the server's word for it
        return CALLERS_MISTAKE
    return CALLERS_MISTAKE if type(error).__name__ == "ServerNotRunning" else OUR_FAULT


def _complain(sentence: str, status: int) -> int:
    print(f"retake: {' '.join(sentence.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
