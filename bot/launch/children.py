"""Child processes that start together, are watched together and end together.

One that is not vital is started again when it ends, instead of ending the others.

Each child leads its own process group, so that Ctrl-C reaches only the parent, which then stops both in
order, and so that a child's own workers end with it. Its output comes through a pipe, line by line, with
its name in front. It holds the reading end of a lifeline, so it also ends when the parent is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GRACE_S = 10.0
RESTART_AFTER_S = 5.0  # of a program without which the others go on
START_LIMIT_S = 180.0
POLL_S = 0.05
_PROBE_S = 1.0
_NOTE_EVERY_S = 5.0
_SAME_WISH_S = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """What to start and how to tell that it serves.

    Attributes:
        name: short name that marks its output.
        command: program and arguments; `{lifeline}` in an argument becomes the pipe's file descriptor.
        ready_url: answers 200 once the program serves; empty when it need not be waited for.
        foreground: whether it has the terminal and stays in the parent's process group.
        is_vital: whether all end when it does; another one is started again instead.
    """

    name: str
    command: Sequence[str]
    ready_url: str = ""
    foreground: bool = False
    is_vital: bool = True


@dataclass
class Child:
    """A started program."""

    program: Program
    process: subprocess.Popen[str]
    ready: bool = False
    restart_at: float | None = None
    _pump: threading.Thread | None = field(default=None, repr=False)

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self.process.poll()

    def drain(self) -> None:
        """Waits until what the ended child wrote has been passed on."""
        if self._pump is not None:
            self._pump.join(timeout=2.0)

    def send(self, signal_number: int) -> None:
        """Sends a signal to the child's process group, or to it alone where it shares ours."""
        with contextlib.suppress(ProcessLookupError):
            if self.program.foreground:
                self.process.send_signal(signal_number)
            else:
                os.killpg(self.process.pid, signal_number)


class Family:
    """Programs that run as one: when one ends, all end."""

    def __init__(self, folder: Path, environment: dict[str, str], say: Say) -> None:
        """Starts nothing yet.

        Args:
            folder: where the programs run.
            environment: their environment variables.
            say: takes one line of progress or of a program's output.
        """
        self._folder = folder
        self._environment = environment
        self._say = say
        self._children: list[Child] = []
        self._lifeline, self._own_end = os.pipe()
        self._stop_signals = 0
        self._last_signal = float("-inf")
        self._began = time.monotonic()

    def run(
        self,
        programs: Sequence[Program],
        on_ready: Callable[[], None] = lambda: None,
        *,
        start_limit_s: float = START_LIMIT_S,
        grace_s: float = GRACE_S,
    ) -> int:
        """Starts the programs and returns when all of them have ended.

        Args:
            programs: what to start, all at the same time.
            on_ready: called once when every program answers at its `ready_url`.
            start_limit_s: seconds within which that must be so.
            grace_s: seconds between asking the programs to stop and killing them.

        Returns:
            0 when it was told to stop by SIGINT, SIGTERM or SIGHUP or a foreground program ended well,
            else 1. A second signal during the grace ends it.
        """
        with self._signals(programs):
            try:
                for program in programs:
                    self._children.append(self._start(program))
                return self._watch(on_ready, start_limit_s)
            finally:
                self._end(grace_s)

    def _start(self, program: Program) -> Child:
        command = [part.replace("{lifeline}", str(self._lifeline)) for part in program.command]
        if program.foreground:
            process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, text=True, pass_fds=[self._lifeline]
            )
            return Child(program, process)
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=[self._lifeline],
            start_new_session=True,
        )
        pump = threading.Thread(target=self._pass_on, args=(program.name, process), daemon=True)
        pump.start()
        return Child(program, process, _pump=pump)

    def _pass_on(self, name: str, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self._say(f"{name:<7} | {line.rstrip()}")

    def _watch(self, on_ready: Callable[[], None], start_limit_s: float) -> int:
        everything_ready = False
        next_note_s = _NOTE_EVERY_S
        while not self._stop_signals:
            for child in self._children:
                status = child.poll()
                if status is not None and child.program.is_vital:
                    return self._report_end(child, status)
                if status is not None:
                    self._start_again(child, status)
            elapsed_s = time.monotonic() - self._began
            if not everything_ready:
                for child in self._children:
                    if not child.ready and _answers(child.program.ready_url):
                        child.ready = True
                        if child.program.ready_url:
                            self._say(f"{child.program.name}: ready after {elapsed_s:.1f} s")
                waiting = [child.program.name for child in self._children if not child.ready]
                if not waiting:
                    everything_ready = True
                    on_ready()
                elif elapsed_s > start_limit_s:
                    self._say(f"{' and '.join(waiting)}: no answer after {elapsed_s:.0f} s, giving up")
                    return 1
                elif elapsed_s > next_note_s:
                    self._say(f"{' and '.join(waiting)}: starting, {elapsed_s:.0f} s")
                    next_note_s += _NOTE_EVERY_S
            time.sleep(POLL_S)
        self._say("stopping")
        return 0

    def _start_again(self, child: Child, status: int) -> None:
        """Starts an ended child again after a pause; called until it is done."""
        now = time.monotonic()
        if child.restart_at is None:
            child.drain()
            child.restart_at = now + RESTART_AFTER_S
            self._say(
                f"{child.program.name}: {_how(status)}; starting it again in {RESTART_AFTER_S:.0f} s. "
                "Its last lines above say why"
            )
        elif now >= child.restart_at:
            self._children[self._children.index(child)] = self._start(child.program)

    def _report_end(self, child: Child, status: int) -> int:
        child.drain()
        if child.program.foreground:
            return 0 if status == 0 else 1
        # A stop that reached the child before it reached us is still a stop.
        if self._stop_signals:
            return 0
        when = "while serving" if child.ready else "before it answered"
        self._say(
            f"{child.program.name}: {_how(status)} {when}; its last lines above say why. Stopping the rest"
        )
        return 1

    def _end(self, grace_s: float) -> None:
        """Ends what still runs, the last started first: it may need the others for what it is doing."""
        deadline = time.monotonic() + grace_s
        signals_before = self._stop_signals
        for child in reversed(self._children):
            if child.poll() is None:
                child.send(signal.SIGTERM)
            while child.poll() is None and time.monotonic() < deadline:
                if self._stop_signals > signals_before:
                    break
                time.sleep(POLL_S)
        names = [child.program.name for child in self._children if child.poll() is None]
        if names:
            self._say(f"{' and '.join(names)}: did not stop, killing")
        for child in self._children:
            # The group may outlive its leader: workers that it forked end here.
            if child.poll() is None or not child.program.foreground:
                child.send(signal.SIGKILL)
            child.process.wait()
            child.drain()
        os.close(self._own_end)
        os.close(self._lifeline)

    @contextlib.contextmanager
    def _signals(self, programs: Sequence[Program]) -> Iterator[None]:
        def stop(_number: int, _frame: object) -> None:
            # `timeout` and some supervisors signal both a process and its group: that is one wish.
            now = time.monotonic()
            if now - self._last_signal > _SAME_WISH_S:
                self._stop_signals += 1
            self._last_signal = now

        def leave_to_foreground(_number: int, _frame: object) -> None:
            """Ctrl-C in a terminal reaches the program that has it, which decides what it means."""

        shared = any(program.foreground for program in programs)
        handlers = {
            signal.SIGINT: leave_to_foreground if shared else stop,
            signal.SIGTERM: stop,
            signal.SIGHUP: stop,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def say_on_stderr(line: str) -> None:
    """Prints one line to stderr at once; a reader that has gone away is not an error."""
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _answers(url: str) -> bool:
    """Whether a URL answers 200; an empty one counts as answered."""
    if not url:
        return True
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PROBE_S) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False
