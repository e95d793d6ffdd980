"""What a NIfTI header says of its voxels, apart from where they lie.

| fields | what for |
| --- | --- |
| `intent_code`, `intent_p1` to `intent_p3`, `intent_name` | labels (1002), statistics |
| `descrip`, `aux_file` | a sentence; a file with names or colours |
| `cal_min`, `cal_max` | between which values to show them |
| `toffset` | when a series begins |
| extensions: comments (6) and Caret's XML (30) | Connectome Workbench's label tables |

Other extensions aren't kept: those of DICOM, AFNI and dcmstack hold the old place, too,
and programs would believe them.
"""

import nibabel as nib

_FIELDS = (
    *("intent_code", "intent_p1", "intent_p2", "intent_p3", "intent_name"),
    *("descrip", "aux_file", "cal_min", "cal_max"),
)
_COMMENT, _CARET = 6, 30


def take_meaning(
    target: nib.Nifti1Header, source: nib.Nifti1Header, *, in_time: bool
) -> None:
    """Takes over what a header says of its voxels.

    Args:
        target: Gets it.
        source: Of the file that the voxels come from.
        in_time: Whether these are a series in time.
    """
    for name in (*_FIELDS, "toffset") if in_time else _FIELDS:
        target[name] = source[name]
    target.extensions.extend(
        each for each in source.extensions if each.get_code() in (_COMMENT, _CARET)
    )
