"""Progress: a bar on a terminal, lines in a log, and none of it is read as markup."""

import io
import sys

import pytest

from dlir_tf.cli.work.progress import StepProgress, counting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("total", "shown"), [(4, [4]), (23, [10, 20, 23])])
def test_a_log_gets_a_line_now_and_then_and_of_the_last(capsys, total, shown):
    with counting(total, "frames", "[bold]a.nii: ", every=10) as show:
        for done in range(1, total + 1):
            show(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"[bold]a.nii: {done} of {total} frames" for done in shown]


def test_a_terminal_gets_a_bar_and_one_line_that_stays(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with counting(3, "pairs evaluated") as show:
        for done in range(1, 4):
            show(done)
    printed = sys.stderr.getvalue()
    assert "\x1b[" in printed  # the bar is drawn, and taken away again
    assert printed.count(" of 3 pairs evaluated\n") == 1


def test_steps_are_shown_on_a_terminal_alone(capsys):
    with StepProgress() as progress:
        progress.stepped("stage 1", 3, 10, 0.25)
    assert capsys.readouterr().err == ""
