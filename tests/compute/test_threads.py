"""Work in threads: results in order, errors raised, no deadlock."""

import multiprocessing
import threading
import time

import pytest

from dlir_tf.compute.threads import in_threads, num_cores, side_by_side


def test_results_come_in_order_from_other_threads():
    names = in_threads(lambda _: threading.current_thread().name, range(8))
    assert all(name.startswith("dlir-tf") for name in names)
    assert in_threads(lambda a, b: a - b, range(9), range(0, 18, 2)) == list(
        range(0, -9, -1)
    )


def test_several_work_at_a_time():
    if num_cores() == 1:
        pytest.skip("there is only one core")
    both_are_here = threading.Barrier(2)
    in_threads(lambda _: both_are_here.wait(timeout=10), range(2))


def test_the_first_error_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda n: 1 / n, [1, 0, 2])


def test_rows_go_on_side_by_side_each_in_its_order():
    both_are_here, seen = threading.Barrier(2), []

    def work(row, n):
        if n == 0:
            both_are_here.wait(timeout=10)
        seen.append((row, n))

    rows = [[(row, n) for n in range(3)] for row in "ab"]
    side_by_side(work, rows)
    assert [[one for one in seen if one[0] == row] for row in "ab"] == rows
    here = []
    side_by_side(lambda _: here.append(threading.current_thread()), [[(1,), (2,)]])
    assert here == [threading.current_thread()] * 2


def test_a_row_that_fails_ends_the_others():
    failed, done = threading.Event(), []

    def work(row, n):
        if row == 1:
            failed.set()
            raise KeyboardInterrupt
        done.append(n)
        failed.wait(timeout=10)
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, [[(0, n) for n in range(99)], [(1, 0)]])
    assert len(done) < 99


def test_work_within_work_doesnt_wait_for_itself():
    def outer(n):
        return sum(in_threads(lambda m: n * m, range(4)))

    # More calls than there are threads, each of which would need another one.
    assert in_threads(outer, range(50)) == [6 * n for n in range(50)]


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
def test_a_forked_process_starts_its_own(tmp_path):
    in_threads(abs, [-1])
    worker = multiprocessing.get_context("fork").Process(
        target=lambda: (tmp_path / "sum").write_text(str(in_threads(abs, [-1, -2])))
    )
    worker.start()
    worker.join(timeout=20)
    alive = worker.is_alive()
    worker.kill()
    assert not alive
    assert (tmp_path / "sum").read_text() == "[1, 2]"
