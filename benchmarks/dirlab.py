"""Breathing lungs: DIR-Lab's 4DCT and COPDgene, or 4DCT as DICOM, in one command.

python benchmarks/dirlab.py --data dirlab --output lungs

The files are taken as their owners hand them out, checked against what is published of
them, and written as NIfTI, CSV and a manifest into the folder of --output, where every
other program finds them. Then pairs are registered, inhaled to exhaled, measured by
`registration.py`, and shown beside what others published.
"""

import argparse
import sys
from pathlib import Path

import registration
from comparison.methods import METHODS
from dirlab_files.conversion import write_cases
from dirlab_files.datasets import COPDGENE, FOUR_D_CT
from dirlab_files.dicom_phases import find_dicom
from dirlab_files.finding import NOTHING_THERE, find_cases
from dirlab_files.scans import Found
from dirlab_files.table import case_tables
from machine import as_commands_do

from dlir_tf.errors import InputError
from dlir_tf.pairs.manifest import read_manifest


def main() -> None:
    """Converts, registers and shows all that the folder holds."""
    options = parse()
    try:
        # What can't be run is said before anything is written.
        options.methods = ",".join(methods_of(options))
        for name in registration.chosen_methods(options):
            registration.binding(name, options)
        failed = sum(run(found, options) for found in find_all(options.data))
    except InputError as error:
        sys.exit(str(error))
    if failed:
        sys.exit(f"{failed} registrations failed; see above")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the unpacked data"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder for images, landmarks, manifests and results",
    )
    parser.add_argument("--first", type=int, help="only so many cases")
    parser.add_argument(
        "--methods",
        help=f"comma-separated, of {', '.join(METHODS)}; default: ours, as far as "
        "--model, --preset and --refine allow",
    )
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    parser.add_argument(
        "--preset",
        default="lung-ct",
        help="preset or config, to refine without a model",
    )
    parser.add_argument("--refine", type=int, help="steps of refinement by a model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=7200, help="seconds each")
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    return parser.parse_args()


def methods_of(options: argparse.Namespace) -> list[str]:
    """Those that are asked for, or all of ours that can be run."""
    if options.methods:
        return options.methods.split(",")
    names = registration.chosen_methods(options)
    return [name for name in names if METHODS[name].module == "ours"]


def find_all(folder: Path) -> list[Found]:
    """All sets that a folder holds something of.

    Raises:
        InputError: If there is none, or a file isn't as it's published.
    """
    if not folder.is_dir():
        raise InputError(f"--data: no such folder: {folder}; check the path")
    sets = [find_cases(folder, data) for data in (FOUR_D_CT, COPDGENE)]
    there = [found for found in sets if found.cases]
    if there:
        return there
    # A whole tree is looked at for DICOM only if it isn't one of the others.
    dicom = find_dicom(folder)
    if dicom.cases:
        return [dicom]
    lacking = [
        f"{name} lacks {what}"
        for found in (*sets, dicom)
        for name, what in found.missing.items()
        if what != NOTHING_THERE
    ]
    said = f" ({'; '.join(lacking)})" if lacking else ""
    raise InputError(
        f"{folder}: must hold the unpacked packs of DIR-Lab's 4DCT or COPDgene, or a "
        f"folder of DICOM for each phase, but no case in it is complete{said}; unpack "
        "what you downloaded there"
    )


def run(found: Found, options: argparse.Namespace) -> int:
    """Converts, registers and shows one set; returns how many registrations failed."""
    for name, what in found.missing.items():
        print(f"{found.title}, {name}: left out, lacks {what}", file=sys.stderr)
    manifest = write_cases(found, options.output)
    results = options.output / f"{found.key}.json"
    own = argparse.Namespace(**{**vars(options), "pairs": manifest, "output": results})
    contents = registration.run(own)
    pairs = read_manifest(manifest)[: options.first]
    print(f"\n{found.title}\n\n{case_tables(found, pairs, contents)}")
    names = options.methods.split(",")
    done = {(r["pair"], r["method"]) for r in contents["results"]}
    wanted = {(registration.title_of(pair), name) for pair in pairs for name in names}
    return len(wanted - done)


if __name__ == "__main__":
    as_commands_do()
    main()
