"""Trains in processes that are really killed, and goes on in others.

`python killed_process.py CONFIG PAIRS FOLDER`: a training is killed (SIGKILL) before
its first rename, and its folder FOLDER/0 is trained to the end by another process;
so with the second rename and FOLDER/1, and with the others, until a training ends
unharmed. A line of JSON is printed for each: what was to be renamed, how the first
process ended, and the second one, with what it said.

The processes are forks of this one, which has imported everything, but computed
nothing: TensorFlow starts its threads at its first operation.
"""

import json
import os
import signal
import sys
from pathlib import Path

from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.training import train


def main(config, pairs, folder):
    """Kills at one rename after another."""
    how = (load_config(config), read_manifest(Path(pairs)))
    for number in range(1000):
        output = Path(folder, f"{number}")
        first, renamed = in_fork(die_at, number, *how, output)
        told = {"renamed": renamed, "first": first}
        if first:
            resume = (output / "checkpoint.npz").is_file()
            second, said = in_fork(train_on, *how, output, resume)
            told |= {"resume": resume, "second": second, "said": said}
        print(json.dumps(told), flush=True)
        if not first:
            return


def in_fork(work, *arguments):
    """Works in a process of its own; tells how it ended, and what it had to say."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with open(writing, "w", encoding="utf-8", buffering=1) as told:
            work(*arguments, tell=told.write)
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as told:
        said = told.read().strip()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def die_at(moment, config, pairs, output, *, tell):
    """Trains, and dies before the rename of this number."""
    rename, numbers = Path.replace, iter(range(moment + 1))

    def replace(path, target):
        if next(numbers, moment) == moment:
            tell(f"{path.name}\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.replace = replace
    train(config, pairs, output, steps=2, seed=3)


def train_on(config, pairs, output, resume, *, tell):
    """Trains to the end, or tells what is in the way."""
    try:
        train(config, pairs, output, steps=2, seed=3, resume=resume)
    except InputError as error:
        tell(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
